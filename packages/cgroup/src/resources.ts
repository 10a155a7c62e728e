import { release } from 'node:os';

/** What a container may use up. What is missing is not limited. */
export interface Resources {
  /** Bytes of memory. */
  readonly memory?: number;
  /** Bytes of memory and swap together; -1 is no limit on swap. Default: twice the memory. */
  readonly memorySwap?: number;
  /** How many processors' time, such as 1.5. */
  readonly cpus?: number;
  /** Its part of the time when others want it, too; 2 to 262144, 1024 is usual. */
  readonly cpuShares?: number;
  /** Which processors, as `0-2,4`. */
  readonly cpusetCpus?: string;
  /** Processes and threads; -1 is no limit. */
  readonly pidsLimit?: number;
  /** Its part of the disk's time when others want it, too; 10 to 1000. */
  readonly blkioWeight?: number;
}

/** A controller of cgroups, by its name in version 2. */
export type Controller = 'memory' | 'cpu' | 'cpuset' | 'pids' | 'io';

/** One file of a cgroup, and what is written into it. */
export interface Setting {
  readonly controller: Controller;
  readonly file: string;
  readonly value: string;
  /** Kernels without it (swap accounting, weights of some schedulers) go without. */
  readonly optional?: boolean;
}

const PERIOD = 100_000;

/** The files of version 2 (kernel doc cgroup-v2.rst). */
export function settingsV2(resources: Resources): Setting[] {
  const { memory, memorySwap, cpus, cpuShares, cpusetCpus, pidsLimit, blkioWeight } = resources;
  const settings: Setting[] = [];
  if (memory !== undefined) settings.push({ controller: 'memory', file: 'memory.max', value: `${memory}` });
  if (memory !== undefined) {
    // Version 2 counts swap alone, where the flag means both together.
    const swap = memorySwap === undefined ? memory : memorySwap === -1 ? -1 : memorySwap - memory;
    settings.push({ controller: 'memory', file: 'memory.swap.max', value: swap === -1 ? 'max' : `${swap}`, optional: memorySwap === undefined });
  }
  if (cpus !== undefined) settings.push({ controller: 'cpu', file: 'cpu.max', value: `${Math.round(cpus * PERIOD)} ${PERIOD}` });
  // As runc and crun translate it: 2 to 262144 becomes 1 to 10000.
  if (cpuShares !== undefined) settings.push({ controller: 'cpu', file: 'cpu.weight', value: `${1 + Math.floor(((cpuShares - 2) * 9999) / 262142)}` });
  if (cpusetCpus !== undefined) settings.push({ controller: 'cpuset', file: 'cpuset.cpus', value: cpusetCpus });
  if (pidsLimit !== undefined) settings.push({ controller: 'pids', file: 'pids.max', value: pidsLimit === -1 ? 'max' : `${pidsLimit}` });
  if (blkioWeight !== undefined) settings.push({ controller: 'io', file: 'io.weight', value: `${1 + Math.floor(((blkioWeight - 10) * 9999) / 990)}` });
  return settings;
}

/** With Linux 5.0 the scheduler went whose weight was called just that. */
function weightFile(): string {
  return Number.parseInt(release(), 10) < 5 ? 'blkio.weight' : 'blkio.bfq.weight';
}

/** The files of version 1 (kernel doc cgroup-v1/). */
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
