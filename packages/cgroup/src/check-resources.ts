import { CgroupError } from './cgroup-error.js';
import type { Resources } from './resources.js';

/** Less would not even let the command start. */
const LEAST_MEMORY = 6 * 1024 * 1024;

/** @throws CgroupError `LIMIT_INVALID` */
export function checkResources({ memory, memorySwap, cpus, cpuShares, cpusetCpus, pidsLimit, blkioWeight }: Resources): void {
  const whole = (value: number): boolean => Number.isSafeInteger(value);
  if (memory !== undefined && (!whole(memory) || memory < LEAST_MEMORY))
    throw invalid(`a container cannot do with ${memory} bytes of memory`, 'It needs 6 MiB at the least.');
  if (memorySwap !== undefined) {
    if (memory === undefined) throw invalid('a limit on swap goes with one on memory', 'Give --memory, too.');
    if (memorySwap !== -1 && (!whole(memorySwap) || memorySwap < memory))
      throw invalid(`memory and swap together cannot be ${memorySwap} bytes, less than the memory`, 'Give the sum of both, or -1 for no limit on swap.');
  }
  if (cpus !== undefined && !(cpus >= 0.01 && cpus <= 100_000)) throw invalid(`${cpus} is no number of processors`, 'It is at least 0.01, such as 1.5.');
  if (cpuShares !== undefined && !(whole(cpuShares) && cpuShares >= 2 && cpuShares <= 262_144))
    throw invalid(`${cpuShares} is no number of shares`, 'They go from 2 to 262144; 1024 is usual.');
  if (cpusetCpus !== undefined && !/^\d+(?:-\d+)?(?:,\d+(?:-\d+)?)*$/.test(cpusetCpus))
    throw invalid(`'${cpusetCpus}' is no list of processors`, 'Write 0-2,4.');
  if (pidsLimit !== undefined && !(whole(pidsLimit) && (pidsLimit >= 1 || pidsLimit === -1)))
    throw invalid(`${pidsLimit} is no number of processes`, 'It is at least 1; -1 is no limit.');
  if (blkioWeight !== undefined && !(whole(blkioWeight) && blkioWeight >= 10 && blkioWeight <= 1000))
    throw invalid(`${blkioWeight} is no weight`, 'Weights go from 10 to 1000.');
}

function invalid(message: string, hint: string): CgroupError {
  return new CgroupError({ code: 'LIMIT_INVALID', message, hint });
}
