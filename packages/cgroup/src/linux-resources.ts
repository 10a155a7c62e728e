import { CgroupError } from './cgroup-error.js';

/** `linux.resources` of the OCI runtime-spec, without devices: see {@link DeviceRule}. */
export interface LinuxResources {
  /** Memory, swap and the out-of-memory killer, in bytes. */
  readonly memory?:
    | {
        readonly limit?: number | undefined;
        readonly reservation?: number | undefined;
        readonly swap?: number | undefined;
        readonly kernel?: number | undefined;
        readonly kernelTCP?: number | undefined;
        readonly swappiness?: number | undefined;
        readonly disableOOMKiller?: boolean | undefined;
        readonly checkBeforeUpdate?: boolean | undefined;
      }
    | undefined;
  /** Processor time, in microseconds, and the processors and memory nodes to use. */
  readonly cpu?:
    | {
        readonly shares?: number | undefined;
        readonly quota?: number | undefined;
        readonly burst?: number | undefined;
        readonly period?: number | undefined;
        readonly realtimeRuntime?: number | undefined;
        readonly realtimePeriod?: number | undefined;
        readonly cpus?: string | undefined;
        readonly mems?: string | undefined;
        readonly idle?: number | undefined;
      }
    | undefined;
  /** How many processes and threads there may be. */
  readonly pids?: { readonly limit?: number | undefined } | undefined;
  /** Weights and limits of block devices: bytes or operations per second. */
  readonly blockIO?:
    | {
        readonly weight?: number | undefined;
        readonly leafWeight?: number | undefined;
        readonly weightDevice?:
          | readonly { readonly major: number; readonly minor: number; readonly weight?: number | undefined; readonly leafWeight?: number | undefined }[]
          | undefined;
        readonly throttleReadBpsDevice?: readonly Throttle[] | undefined;
        readonly throttleWriteBpsDevice?: readonly Throttle[] | undefined;
        readonly throttleReadIOPSDevice?: readonly Throttle[] | undefined;
        readonly throttleWriteIOPSDevice?: readonly Throttle[] | undefined;
      }
    | undefined;
  /** Bytes of huge pages, by their size. */
  readonly hugepageLimits?: readonly { readonly pageSize: string; readonly limit: number }[] | undefined;
  /** The class and the priorities of packets. cgroups of version 1 only. */
  readonly network?:
    | { readonly classID?: number | undefined; readonly priorities?: readonly { readonly name: string; readonly priority: number }[] | undefined }
    | undefined;
  /** Handles and objects of RDMA devices, by device. */
  readonly rdma?: Readonly<Record<string, { readonly hcaHandles?: number | undefined; readonly hcaObjects?: number | undefined }>> | undefined;
  /** Files of version 2 and what is written to them. */
  readonly unified?: Readonly<Record<string, string>> | undefined;
}

interface Throttle {
  readonly major: number;
  readonly minor: number;
  readonly rate: number;
}

/** A write to a file of a cgroup. */
export interface CgroupWrite {
  /** The controller that has the file, by its name in the cgroup version of this machine. */
  readonly controller: string;
  readonly file: string;
  readonly value: string;
  /** Whether the kernel may lack the file: swap accounting, or the weights of an I/O scheduler. */
  readonly optional?: boolean;
}

const most = (value: number): string => (value < 0 ? 'max' : String(value));

/** Returns the writes of version 1, in an order in which the kernel accepts each. @throws CgroupError `LIMIT_INVALID` @see cgroup-v1/ */
export function writesV1(resources: LinuxResources): CgroupWrite[] {
  const writes: CgroupWrite[] = [];
  const put = (controller: string, file: string, value: number | string | undefined, optional = false): void => {
    if (value !== undefined && value !== '')
      writes.push({ controller, file: `${controller}.${file}`, value: String(value), ...(optional ? { optional } : {}) });
  };
  const { memory, cpu, pids, blockIO, network, rdma } = resources;
  if (resources.unified && Object.keys(resources.unified).length)
    throw new CgroupError({
      code: 'LIMIT_INVALID',
      message: 'invalid configuration: linux.resources.unified needs cgroups of version 2, and this machine has version 1',
      hint: 'Use linux.resources.memory, .cpu and so on.',
    });
  if (memory) {
    // Engines written in Go give 0 for a field that is not set.
    put('memory', 'limit_in_bytes', memory.limit || undefined);
    put('memory', 'memsw.limit_in_bytes', memory.swap === 0 ? undefined : memory.swap, memory.swap === -1);
    put('memory', 'soft_limit_in_bytes', memory.reservation || undefined);
    put('memory', 'kmem.tcp.limit_in_bytes', memory.kernelTCP || undefined, true);
    put('memory', 'swappiness', memory.swappiness);
    if (memory.disableOOMKiller) put('memory', 'oom_control', 1);
  }
  if (cpu) {
    put('cpu', 'shares', cpu.shares || undefined);
    put('cpu', 'cfs_period_us', cpu.period || undefined);
    put('cpu', 'cfs_quota_us', cpu.quota || undefined);
    put('cpu', 'cfs_burst_us', cpu.burst);
    put('cpu', 'rt_period_us', cpu.realtimePeriod || undefined);
    put('cpu', 'rt_runtime_us', cpu.realtimeRuntime || undefined);
    put('cpu', 'idle', cpu.idle);
    put('cpuset', 'cpus', cpu.cpus);
    put('cpuset', 'mems', cpu.mems);
  }
  if (pids?.limit) put('pids', 'max', most(pids.limit));
  if (blockIO) {
    if (blockIO.weight) put('blkio', 'bfq.weight', blockIO.weight, true);
    if (blockIO.leafWeight) put('blkio', 'leaf_weight', blockIO.leafWeight, true);
    for (const { major, minor, weight, leafWeight } of blockIO.weightDevice ?? []) {
      if (weight) put('blkio', 'bfq.weight_device', `${major}:${minor} ${weight}`, true);
      if (leafWeight) put('blkio', 'leaf_weight_device', `${major}:${minor} ${leafWeight}`, true);
    }
    const throttles = {
      read_bps: blockIO.throttleReadBpsDevice,
      write_bps: blockIO.throttleWriteBpsDevice,
      read_iops: blockIO.throttleReadIOPSDevice,
      write_iops: blockIO.throttleWriteIOPSDevice,
    };
    for (const [what, list] of Object.entries(throttles))
      for (const { major, minor, rate } of list ?? []) put('blkio', `throttle.${what}_device`, `${major}:${minor} ${rate}`);
  }
  for (const { pageSize, limit } of resources.hugepageLimits ?? []) put('hugetlb', `${pageSize}.limit_in_bytes`, limit);
  if (network?.classID) put('net_cls', 'classid', network.classID);
  for (const { name, priority } of network?.priorities ?? []) put('net_prio', 'ifpriomap', `${name} ${priority}`);
  for (const [device, { hcaHandles, hcaObjects }] of Object.entries(rdma ?? {})) put('rdma', 'max', rdmaLine(device, hcaHandles, hcaObjects));
  return writes;
}

function rdmaLine(device: string, handles: number | undefined, objects: number | undefined): string {
  return [device, handles === undefined ? '' : `hca_handle=${handles}`, objects === undefined ? '' : `hca_object=${objects}`].filter(Boolean).join(' ');
}

/** Converts CPU shares of version 1, 2 to 262144, to a weight of 1 to 10000. runc and crun use the same curve, which maps the default to the default. */
export function weightOfShares(shares: number): number {
  if (shares <= 2) return 1;
  if (shares >= 262_144) return 10_000;
  const log = Math.log2(shares);
  return Math.ceil(10 ** ((log * log + 125 * log) / 612 - 7 / 34));
}

/** Converts a blkio weight, 10 to 1000, to an io weight, 1 to 10000. */
export function weightOfBlkio(weight: number): number {
  return 1 + Math.floor(((weight - 10) * 9999) / 990);
}

/** Returns the writes of version 2. @throws CgroupError `LIMIT_INVALID` @see cgroup-v2.rst */
export function writesV2(resources: LinuxResources): CgroupWrite[] {
  const writes: CgroupWrite[] = [];
  const put = (controller: string, file: string, value: string | undefined, optional = false): void => {
    if (value !== undefined && value !== '') writes.push({ controller, file: `${controller}.${file}`, value, ...(optional ? { optional } : {}) });
  };
  const { memory, cpu, pids, blockIO, rdma } = resources;
  if (memory) {
    const { limit, swap, reservation } = memory;
    if (limit) put('memory', 'max', most(limit));
    // Version 2 limits swap alone, but the specification gives the sum of memory and swap.
    if (swap) {
      if (swap > 0 && !limit)
        throw new CgroupError({ code: 'LIMIT_INVALID', message: 'memory.swap: a limit on swap needs a limit on memory', hint: 'Set memory.limit too.' });
      if (swap > 0 && swap < (limit ?? 0))
        throw new CgroupError({
          code: 'LIMIT_INVALID',
          message: `memory.swap: the limit of ${swap} bytes on memory and swap is lower than the limit on memory, ${limit}`,
          hint: 'Set memory.swap to the sum of memory and swap.',
        });
      put('memory', 'swap.max', swap < 0 ? 'max' : limit && limit > 0 ? String(swap - limit) : 'max', swap < 0);
    }
    if (reservation) put('memory', 'low', most(reservation));
  }
  if (cpu) {
    if (cpu.idle !== undefined) put('cpu', 'idle', String(cpu.idle));
    if (cpu.shares && cpu.idle !== 1) put('cpu', 'weight', String(weightOfShares(cpu.shares)));
    if (cpu.burst !== undefined && !cpu.quota) put('cpu', 'max.burst', String(cpu.burst));
    if (cpu.quota || cpu.period) put('cpu', 'max', `${cpu.quota && cpu.quota > 0 ? cpu.quota : 'max'} ${cpu.period || 100_000}`);
    if (cpu.burst !== undefined && cpu.quota) put('cpu', 'max.burst', String(cpu.burst));
    put('cpuset', 'cpus', cpu.cpus);
    put('cpuset', 'mems', cpu.mems);
  }
  if (pids?.limit) put('pids', 'max', most(pids.limit));
  if (blockIO) {
    if (blockIO.weight) {
      put('io', 'bfq.weight', String(blockIO.weight), true);
      put('io', 'weight', String(weightOfBlkio(blockIO.weight)), true);
    }
    for (const { major, minor, weight } of blockIO.weightDevice ?? []) if (weight) put('io', 'bfq.weight', `${major}:${minor} ${weight}`, true);
    const throttles = {
      rbps: blockIO.throttleReadBpsDevice,
      wbps: blockIO.throttleWriteBpsDevice,
      riops: blockIO.throttleReadIOPSDevice,
      wiops: blockIO.throttleWriteIOPSDevice,
    };
    for (const [what, list] of Object.entries(throttles))
      for (const { major, minor, rate } of list ?? []) put('io', 'max', `${major}:${minor} ${what}=${rate || 'max'}`);
  }
  for (const { pageSize, limit } of resources.hugepageLimits ?? []) put('hugetlb', `${pageSize}.max`, String(limit));
  for (const [device, { hcaHandles, hcaObjects }] of Object.entries(rdma ?? {})) put('rdma', 'max', rdmaLine(device, hcaHandles, hcaObjects));
  for (const [file, value] of Object.entries(resources.unified ?? {})) {
    if (file.includes('/') || !file.includes('.'))
      throw new CgroupError({
        code: 'LIMIT_INVALID',
        message: `unified: '${file}' is not the name of a cgroup file`,
        hint: 'Use the form CONTROLLER.FILE, such as memory.high.',
      });
    writes.push({ controller: file.split('.')[0] ?? '', file, value });
  }
  return writes;
}
