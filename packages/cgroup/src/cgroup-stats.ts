import { readdirSync } from 'node:fs';
import path from 'node:path';
import type { CgroupPlace, ContainerCgroup } from './container-cgroup.js';
import { readKernelFile } from './read-kernel-file.js';

/** The resource usage of a container in bytes and nanoseconds, in the form of `runc events --stats`. */
export interface CgroupStats {
  readonly cpu: {
    readonly usage: { readonly total: number; readonly percpu?: readonly number[]; readonly kernel: number; readonly user: number };
    readonly throttling: { readonly periods?: number; readonly throttledPeriods?: number; readonly throttledTime?: number };
  };
  readonly cpuset: Record<string, never>;
  readonly memory: {
    readonly cache?: number;
    readonly usage: { readonly limit: number; readonly usage?: number; readonly max?: number; readonly failcnt: number };
    readonly swap: { readonly limit: number; readonly usage?: number; readonly failcnt: number };
    readonly raw?: Readonly<Record<string, number>>;
  };
  readonly pids: { readonly current?: number; readonly limit?: number };
  readonly blkio: { readonly ioServiceBytesRecursive?: readonly BlkioEntry[]; readonly ioServicedRecursive?: readonly BlkioEntry[] };
  readonly hugetlb: Readonly<Record<string, { readonly usage?: number; readonly max?: number; readonly failcnt: number }>>;
}

interface BlkioEntry {
  readonly major: number;
  readonly minor: number;
  readonly op: string;
  readonly value: number;
}

/** 2^64-1, which stands for "no limit" in the form of runc. */
const NO_LIMIT = 18446744073709552000;

/** Reads the usage. The values of a missing controller are 0. */
export function cgroupStats(cgroup: ContainerCgroup): CgroupStats {
  return cgroup[0]?.version === 2 ? statsV2(cgroup[0]) : statsV1(cgroup);
}

/** Returns how many processes in the cgroup the OOM killer ended. */
export function oomKills(cgroup: ContainerCgroup): number {
  const place = cgroup.find(({ version, controllers }) => version === 2 || controllers.includes('memory'));
  if (!place) return 0;
  return table(readKernelFile(path.join(place.directory, place.version === 2 ? 'memory.events' : 'memory.oom_control'))).oom_kill ?? 0;
}

function statsV2(place: CgroupPlace): CgroupStats {
  const file = (name: string): string => readKernelFile(path.join(place.directory, name));
  const cpu = table(file('cpu.stat'));
  const memory = table(file('memory.stat'));
  const events = table(file('memory.events'));
  return {
    cpu: {
      usage: { total: (cpu.usage_usec ?? 0) * 1000, kernel: (cpu.system_usec ?? 0) * 1000, user: (cpu.user_usec ?? 0) * 1000 },
      throttling: { periods: cpu.nr_periods ?? 0, throttledPeriods: cpu.nr_throttled ?? 0, throttledTime: (cpu.throttled_usec ?? 0) * 1000 },
    },
    cpuset: {},
    memory: {
      cache: memory.file ?? 0,
      usage: { limit: limit(file('memory.max')), usage: number(file('memory.current')), max: number(file('memory.peak')), failcnt: events.max ?? 0 },
      swap: { limit: limit(file('memory.swap.max')), usage: number(file('memory.swap.current')), failcnt: 0 },
      raw: memory,
    },
    pids: { current: number(file('pids.current')), limit: pidsLimit(file('pids.max')) },
    blkio: ioV2(file('io.stat')),
    hugetlb: Object.fromEntries(
      names(place.directory, /^hugetlb\.([^.]+)\.current$/).map((size) => [
        size,
        { usage: number(file(`hugetlb.${size}.current`)), failcnt: table(file(`hugetlb.${size}.events`)).max ?? 0 },
      ]),
    ),
  };
}

function statsV1(cgroup: ContainerCgroup): CgroupStats {
  const file = (controller: string, name: string): string => {
    const place = cgroup.find(({ controllers }) => controllers.includes(controller));
    return place ? readKernelFile(path.join(place.directory, `${controller}.${name}`)) : '';
  };
  const stat = table(file('cpuacct', 'stat'));
  const throttling = table(file('cpu', 'stat'));
  const memory = table(file('memory', 'stat'));
  const percpu = file('cpuacct', 'usage_percpu').trim().split(/\s+/).filter(Boolean).map(Number);
  const hugetlb = cgroup.find(({ controllers }) => controllers.includes('hugetlb'));
  // A clock tick is a hundredth of a second in files of the kernel (times(2)).
  const tick = 10_000_000;
  return {
    cpu: {
      usage: { total: number(file('cpuacct', 'usage')), percpu, kernel: (stat.system ?? 0) * tick, user: (stat.user ?? 0) * tick },
      throttling: { periods: throttling.nr_periods ?? 0, throttledPeriods: throttling.nr_throttled ?? 0, throttledTime: throttling.throttled_time ?? 0 },
    },
    cpuset: {},
    memory: {
      cache: memory.cache ?? 0,
      usage: {
        limit: limit(file('memory', 'limit_in_bytes')),
        usage: number(file('memory', 'usage_in_bytes')),
        max: number(file('memory', 'max_usage_in_bytes')),
        failcnt: number(file('memory', 'failcnt')),
      },
      swap: {
        limit: limit(file('memory', 'memsw.limit_in_bytes')),
        usage: number(file('memory', 'memsw.usage_in_bytes')),
        failcnt: number(file('memory', 'memsw.failcnt')),
      },
      raw: memory,
    },
    pids: { current: number(file('pids', 'current')), limit: pidsLimit(file('pids', 'max')) },
    blkio: {
      ioServiceBytesRecursive: blkioV1(file('blkio', 'throttle.io_service_bytes_recursive')),
      ioServicedRecursive: blkioV1(file('blkio', 'throttle.io_serviced_recursive')),
    },
    hugetlb: Object.fromEntries(
      (hugetlb ? names(hugetlb.directory, /^hugetlb\.([^.]+)\.usage_in_bytes$/) : []).map((size) => [
        size,
        {
          usage: number(file('hugetlb', `${size}.usage_in_bytes`)),
          max: number(file('hugetlb', `${size}.max_usage_in_bytes`)),
          failcnt: number(file('hugetlb', `${size}.failcnt`)),
        },
      ]),
    ),
  };
}

function ioV2(text: string): CgroupStats['blkio'] {
  const lines = text
    .split('\n')
    .map((line) => /^(\d+):(\d+) (.*)$/.exec(line))
    .filter((match) => match !== null);
  const entries = (keys: Readonly<Record<string, string>>): BlkioEntry[] =>
    lines.flatMap(([, major, minor, rest = '']) =>
      [...rest.matchAll(/(\w+)=(\d+)/g)].flatMap(([, key = '', value]) => {
        const op = keys[key];
        return op ? [{ major: Number(major), minor: Number(minor), op, value: Number(value) }] : [];
      }),
    );
  return {
    ioServiceBytesRecursive: entries({ rbytes: 'Read', wbytes: 'Write', dbytes: 'Discard' }),
    ioServicedRecursive: entries({ rios: 'Read', wios: 'Write', dios: 'Discard' }),
  };
}

function blkioV1(text: string): BlkioEntry[] {
  return [...text.matchAll(/^(\d+):(\d+) (\w+) (\d+)$/gm)].map(([, major, minor, op = '', value]) => ({
    major: Number(major),
    minor: Number(minor),
    op,
    value: Number(value),
  }));
}

/** Parses lines of the form `name value`. */
function table(text: string): Record<string, number> {
  return Object.fromEntries([...text.matchAll(/^(\S+) (\d+)$/gm)].map(([, name = '', value]) => [name, Number(value)]));
}

function number(text: string): number {
  return Number(text.trim() || 0);
}

function limit(text: string): number {
  const trimmed = text.trim();
  return trimmed === '' ? 0 : trimmed === 'max' ? NO_LIMIT : Number(trimmed);
}

/** Parses a limit on processes, where 0 stands for "no limit". */
function pidsLimit(text: string): number {
  const most = limit(text);
  return most === NO_LIMIT ? 0 : most;
}

function names(directory: string, pattern: RegExp): string[] {
  try {
    return readdirSync(directory).flatMap((name) => pattern.exec(name)?.[1] ?? []);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
