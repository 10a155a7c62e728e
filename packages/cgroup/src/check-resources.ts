import { CgroupError } from './cgroup-error.js';
import type { Resources } from './resources.js';

/** The least memory with which a command can start, in bytes. Docker has the same minimum. */
const LEAST_MEMORY = 6 * 1024 * 1024;

/** Checks that limits have values that the kernel accepts. @throws CgroupError `LIMIT_INVALID` */
export function checkResources({ memory, memorySwap, cpus, cpuShares, cpusetCpus, pidsLimit, blkioWeight }: Resources): void {
  const whole = (value: number): boolean => Number.isSafeInteger(value);
  if (memory !== undefined && (!whole(memory) || memory < LEAST_MEMORY))
    throw invalid(`the memory limit of ${memory} bytes is too low`, 'Give at least 6 MiB: --memory 6m');
  if (memorySwap !== undefined) {
    if (memory === undefined) throw invalid('a limit on swap needs a limit on memory', 'Give both: --memory 512m --memory-swap 1g');
    if (memorySwap !== -1 && (!whole(memorySwap) || memorySwap < memory))
      throw invalid(
        `the limit of ${memorySwap} bytes on memory and swap is lower than the limit on memory`,
        'Give the sum of memory and swap, or -1 for unlimited swap.',
      );
  }
  if (cpus !== undefined && !(cpus >= 0.01 && cpus <= 100_000))
    throw invalid(`'${cpus}' is not a valid number of processors`, 'Give a number from 0.01 to 100000, such as 1.5.');
  if (cpuShares !== undefined && !(whole(cpuShares) && cpuShares >= 2 && cpuShares <= 262_144))
    throw invalid(`'${cpuShares}' is not a valid number of CPU shares`, 'Give a whole number from 2 to 262144. The default is 1024.');
  if (cpusetCpus !== undefined && !/^\d+(?:-\d+)?(?:,\d+(?:-\d+)?)*$/.test(cpusetCpus))
    throw invalid(`'${cpusetCpus}' is not a list of processors`, 'Give a list such as 0-2,4.');
  if (pidsLimit !== undefined && !(whole(pidsLimit) && (pidsLimit >= 1 || pidsLimit === -1)))
    throw invalid(`'${pidsLimit}' is not a valid number of processes`, 'Give a whole number from 1, or -1 for no limit.');
  if (blkioWeight !== undefined && !(whole(blkioWeight) && blkioWeight >= 10 && blkioWeight <= 1000))
    throw invalid(`'${blkioWeight}' is not a valid block I/O weight`, 'Give a whole number from 10 to 1000.');
}

function invalid(message: string, hint: string): CgroupError {
  return new CgroupError({ code: 'LIMIT_INVALID', message, hint });
}
