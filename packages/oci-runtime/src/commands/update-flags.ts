import { FILE_BOUNDS, FileError, readNamedText } from '@lamella/syscall';
import { type Flags, integerFlag, textFlag, usageError, type Values } from '../command-line/parse-flags.js';
import { parseResources } from '../config/read-config.js';
import type { OciResources } from '../config/schema.js';

/** The flags of `update`, as in runc. */
export const UPDATE_FLAGS: Flags = {
  resources: { type: 'string', short: 'r', value: 'FILE', about: 'File with linux.resources as JSON, or - for stdin; other flags are ignored' },
  'blkio-weight': { type: 'string', value: 'N', about: 'Block IO weight (10 to 1000)' },
  'cpu-period': { type: 'string', value: 'MICROSECONDS', about: 'CPU CFS (Completely Fair Scheduler) period' },
  'cpu-quota': { type: 'string', value: 'MICROSECONDS', about: 'CPU CFS (Completely Fair Scheduler) quota' },
  'cpu-burst': { type: 'string', value: 'MICROSECONDS', about: 'CPU CFS (Completely Fair Scheduler) burst' },
  'cpu-share': { type: 'string', value: 'N', about: 'CPU shares (relative weight)' },
  'cpu-rt-period': { type: 'string', value: 'MICROSECONDS', about: 'CPU real-time period' },
  'cpu-rt-runtime': { type: 'string', value: 'MICROSECONDS', about: 'CPU real-time runtime' },
  'cpuset-cpus': { type: 'string', value: 'LIST', about: 'CPUs in which to allow execution (0-3, 0,1)' },
  'cpuset-mems': { type: 'string', value: 'LIST', about: 'MEMs in which to allow execution (0-3, 0,1)' },
  'cpu-idle': { type: 'string', value: '0|1', about: 'Set cgroup SCHED_IDLE (0 or 1)' },
  memory: { type: 'string', value: 'BYTES', about: "Memory limit; '-1' for unlimited" },
  'memory-reservation': { type: 'string', value: 'BYTES', about: 'Memory soft limit' },
  'memory-swap': { type: 'string', value: 'BYTES', about: "Memory plus swap limit; '-1' for unlimited swap" },
  'kernel-memory': { type: 'string', value: 'BYTES', about: 'Ignored: kernel memory limits are obsolete' },
  'kernel-memory-tcp': { type: 'string', value: 'BYTES', about: 'Memory limit of TCP buffers' },
  'pids-limit': { type: 'string', value: 'N', about: 'Maximum number of processes and threads; -1 for unlimited' },
  'l3-cache-schema': { type: 'string', value: 'LINES', about: 'Intel RDT/CAT L3 cache schema, such as L3:0=7f0;1=1f' },
  'mem-bw-schema': { type: 'string', value: 'LINE', about: 'Intel RDT/MBA memory bandwidth schema, such as MB:0=20;1=70' },
};

/** Returns the Intel RDT schemas of the flags; undefined without any. @throws OciError `USAGE` */
export function rdtSchemas(values: Values): { l3CacheSchema?: string; memBwSchema?: string } | undefined {
  const [l3CacheSchema, memBwSchema] = [textFlag(values, 'l3-cache-schema'), textFlag(values, 'mem-bw-schema')];
  if (l3CacheSchema === undefined && memBwSchema === undefined) return undefined;
  if (memBwSchema !== undefined && !/^MB:[^\n]*$/.test(memBwSchema))
    throw usageError(`invalid value '${memBwSchema}' for --mem-bw-schema: use one line that begins with MB:`);
  return { ...(l3CacheSchema === undefined ? {} : { l3CacheSchema }), ...(memBwSchema === undefined ? {} : { memBwSchema }) };
}

function readResources(file: string): string {
  try {
    return readNamedText(file === '-' ? 0 : file, FILE_BOUNDS.bundle, file === '-' ? 'stdin' : file);
  } catch (error) {
    if (error instanceof FileError) throw usageError(error.message);
    throw error;
  }
}

/** Returns the limits of `--resources`, or of the other flags. @throws OciError `USAGE`, `CONFIG_INVALID` */
export function resourceLimits(values: Values): OciResources {
  const file = textFlag(values, 'resources');
  if (file !== undefined) return parseResources(readResources(file), file === '-' ? 'stdin' : file);
  const given = (name: string): boolean => values[name] !== undefined;
  const some = (object: Record<string, unknown>): Record<string, unknown> | undefined => {
    const set = Object.entries(object).filter(([, value]) => value !== undefined);
    return set.length ? Object.fromEntries(set) : undefined;
  };
  if (!Object.keys(UPDATE_FLAGS).some(given)) throw usageError('"lamella-oci update" requires --resources FILE or a limit');
  return {
    memory: some({
      limit: bytes(values, 'memory'),
      reservation: bytes(values, 'memory-reservation'),
      swap: bytes(values, 'memory-swap'),
      kernelTCP: bytes(values, 'kernel-memory-tcp'),
    }),
    cpu: some({
      period: integerFlag(values, 'cpu-period'),
      quota: integerFlag(values, 'cpu-quota'),
      burst: integerFlag(values, 'cpu-burst'),
      shares: integerFlag(values, 'cpu-share'),
      realtimePeriod: integerFlag(values, 'cpu-rt-period'),
      realtimeRuntime: integerFlag(values, 'cpu-rt-runtime'),
      cpus: textFlag(values, 'cpuset-cpus'),
      mems: textFlag(values, 'cpuset-mems'),
      idle: integerFlag(values, 'cpu-idle'),
    }),
    pids: some({ limit: integerFlag(values, 'pids-limit') }),
    blockIO: some({ weight: integerFlag(values, 'blkio-weight') }),
  } as OciResources;
}

/** Returns the bytes of a size such as `512m`. */
function bytes(values: Values, name: string): number | undefined {
  const given = textFlag(values, name);
  if (given === undefined) return undefined;
  const [, number, unit = ''] = /^(-?\d+)([bkmgt]?)b?$/i.exec(given) ?? [];
  if (number === undefined) throw usageError(`invalid value '${given}' for --${name}: use a size such as 512m`);
  return Number(number) * 1024 ** Math.max(0, 'bkmgt'.indexOf(unit.toLowerCase() || 'b'));
}
