import { release } from 'node:os';
import { weightOfBlkio } from './linux-resources.js';

/** Limits on the resources of a container. A missing field means no limit. */
export interface Resources {
  /** Memory in bytes, at least 6 MiB. */
  readonly memory?: number;
  /** Memory and swap together in bytes; -1 for unlimited swap. Default: twice `memory`. */
  readonly memorySwap?: number;
  /** The number of processors, such as 1.5; at least 0.01. */
  readonly cpus?: number;
  /** Relative weight of processor time, 2 to 262144. The kernel's default is 1024. */
  readonly cpuShares?: number;
  /** The processors in which to allow execution, such as `0-2,4`. */
  readonly cpusetCpus?: string;
  /** The number of processes and threads; -1 for no limit. */
  readonly pidsLimit?: number;
  /** Relative weight of block I/O, 10 to 1000. */
  readonly blkioWeight?: number;
}

/** A cgroup controller, by its name in version 2. */
export type Controller = 'memory' | 'cpu' | 'cpuset' | 'pids' | 'io';

/** A file of a cgroup, and the value to write. */
export interface Setting {
  readonly controller: Controller;
  readonly file: string;
  readonly value: string;
  /** Whether the kernel may lack the file: swap accounting, or the weights of an I/O scheduler. */
  readonly optional?: boolean;
}

const PERIOD = 100_000;

/** Returns the files of version 2 that set the limits. @see cgroup-v2.rst */
export function settingsV2(resources: Resources): Setting[] {
  const { memory, memorySwap, cpus, cpuShares, cpusetCpus, pidsLimit, blkioWeight } = resources;
  const settings: Setting[] = [];
  if (memory !== undefined) settings.push({ controller: 'memory', file: 'memory.max', value: `${memory}` });
  if (memory !== undefined) {
    // Version 2 limits swap alone, but `memorySwap` is the sum of memory and swap.
    const swap = memorySwap === undefined ? memory : memorySwap === -1 ? -1 : memorySwap - memory;
    settings.push({ controller: 'memory', file: 'memory.swap.max', value: swap === -1 ? 'max' : `${swap}`, optional: memorySwap === undefined });
  }
  if (cpus !== undefined) settings.push({ controller: 'cpu', file: 'cpu.max', value: `${Math.round(cpus * PERIOD)} ${PERIOD}` });
  // runc and crun use the same conversion from 2..262144 to 1..10000.
  if (cpuShares !== undefined) settings.push({ controller: 'cpu', file: 'cpu.weight', value: `${1 + Math.floor(((cpuShares - 2) * 9999) / 262142)}` });
  if (cpusetCpus !== undefined) settings.push({ controller: 'cpuset', file: 'cpuset.cpus', value: cpusetCpus });
  if (pidsLimit !== undefined) settings.push({ controller: 'pids', file: 'pids.max', value: pidsLimit === -1 ? 'max' : `${pidsLimit}` });
  if (blkioWeight !== undefined) settings.push({ controller: 'io', file: 'io.weight', value: `${weightOfBlkio(blkioWeight)}` });
  return settings;
}

/** Linux 5.0 removed the CFQ scheduler, and with it `blkio.weight`. */
function weightFile(): string {
  return Number.parseInt(release(), 10) < 5 ? 'blkio.weight' : 'blkio.bfq.weight';
}

/** Returns the files of version 1 that set the limits. @see cgroup-v1/ */
export function settingsV1(resources: Resources): Setting[] {
  const { memory, memorySwap, cpus, cpuShares, cpusetCpus, pidsLimit, blkioWeight } = resources;
  const settings: Setting[] = [];
  if (memory !== undefined) {
    settings.push({ controller: 'memory', file: 'memory.limit_in_bytes', value: `${memory}` });
    settings.push({ controller: 'memory', file: 'memory.memsw.limit_in_bytes', value: `${memorySwap ?? memory * 2}`, optional: memorySwap === undefined });
  }
  if (cpus !== undefined) {
    settings.push({ controller: 'cpu', file: 'cpu.cfs_period_us', value: `${PERIOD}` });
    settings.push({ controller: 'cpu', file: 'cpu.cfs_quota_us', value: `${Math.round(cpus * PERIOD)}` });
  }
  if (cpuShares !== undefined) settings.push({ controller: 'cpu', file: 'cpu.shares', value: `${cpuShares}` });
  if (cpusetCpus !== undefined) settings.push({ controller: 'cpuset', file: 'cpuset.cpus', value: cpusetCpus });
  if (pidsLimit !== undefined) settings.push({ controller: 'pids', file: 'pids.max', value: pidsLimit === -1 ? 'max' : `${pidsLimit}` });
  if (blkioWeight !== undefined) settings.push({ controller: 'io', file: weightFile(), value: `${blkioWeight}` });
  return settings;
}
