import { FILE_BOUNDS, FileError, readNamedText } from '@lamella/syscall';
import { parseResources } from '../config/read-config.js';
import type { OciResources } from '../config/schema.js';
import { type Flags, integerFlag, textFlag, usageError, type Values } from './parse-flags.js';

export const UPDATE_FLAGS: Flags = {
  resources: { type: 'string', short: 'r', value: 'FILE', about: 'a file with linux.resources as JSON; - is stdin. No other flag counts then' },
  'blkio-weight': { type: 'string', value: 'N', about: '10 to 1000' },
  'cpu-period': { type: 'string', value: 'MICROSECONDS', about: 'of the processor, in which the quota counts' },
  'cpu-quota': { type: 'string', value: 'MICROSECONDS', about: 'of its time in each period' },
  'cpu-burst': { type: 'string', value: 'MICROSECONDS', about: 'that may be saved up' },
  'cpu-share': { type: 'string', value: 'N', about: 'its part when others want it, too' },
  'cpu-rt-period': { type: 'string', value: 'MICROSECONDS', about: 'the same as --cpu-period, of real time' },
  'cpu-rt-runtime': { type: 'string', value: 'MICROSECONDS', about: 'the same as --cpu-quota, of real time' },
  'cpuset-cpus': { type: 'string', value: 'LIST', about: 'processors, as 0-2,4' },
  'cpuset-mems': { type: 'string', value: 'LIST', about: 'memory nodes' },
  'cpu-idle': { type: 'string', value: '0|1', about: 'only what nobody else wants' },
  memory: { type: 'string', value: 'BYTES', about: 'limit; -1 for none' },
  'memory-reservation': { type: 'string', value: 'BYTES', about: 'soft limit' },
  'memory-swap': { type: 'string', value: 'BYTES', about: 'memory and swap together; -1 for none' },
  'kernel-memory': { type: 'string', value: 'BYTES', about: 'obsolete' },
  'kernel-memory-tcp': { type: 'string', value: 'BYTES', about: 'for TCP buffers' },
  'pids-limit': { type: 'string', value: 'N', about: 'processes and threads; -1 for no limit' },
  'l3-cache-schema': { type: 'string', value: 'LINES', about: 'of Intel RDT, as L3:0=7f0;1=1f' },
  'mem-bw-schema': { type: 'string', value: 'LINE', about: 'of Intel RDT, as MB:0=20;1=70' },
};

/** Schemas of a class of service, from flags. Undefined when there are none. @throws OciError `USAGE` */
export function rdtSchemas(values: Values): { l3CacheSchema?: string; memBwSchema?: string } | undefined {
  const [l3CacheSchema, memBwSchema] = [textFlag(values, 'l3-cache-schema'), textFlag(values, 'mem-bw-schema')];
  if (l3CacheSchema === undefined && memBwSchema === undefined) return undefined;
  if (memBwSchema !== undefined && !/^MB:[^\n]*$/.test(memBwSchema))
    throw usageError(`--mem-bw-schema takes one line that begins with MB:, not '${memBwSchema}'`);
  return { ...(l3CacheSchema === undefined ? {} : { l3CacheSchema }), ...(memBwSchema === undefined ? {} : { memBwSchema }) };
}

function named(file: string): string {
  try {
    return readNamedText(file === '-' ? 0 : file, FILE_BOUNDS.bundle, file === '-' ? 'stdin' : file);
  } catch (error) {
    if (error instanceof FileError) throw usageError(error.message);
    throw error;
  }
}

/** Limits from a file, or from flags. @throws OciError `USAGE`, `CONFIG_INVALID` */
export function resourceLimits(values: Values): OciResources {
  const file = textFlag(values, 'resources');
  if (file !== undefined) return parseResources(named(file), file === '-' ? 'stdin' : file);
  const given = (name: string): boolean => values[name] !== undefined;
  const some = (object: Record<string, unknown>): Record<string, unknown> | undefined => {
    const set = Object.entries(object).filter(([, value]) => value !== undefined);
    return set.length ? Object.fromEntries(set) : undefined;
  };
  if (!Object.keys(UPDATE_FLAGS).some(given)) throw usageError('update needs --resources FILE, or limits');
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

/** `512m` as runc takes it. */
function bytes(values: Values, name: string): number | undefined {
  const given = textFlag(values, name);
  if (given === undefined) return undefined;
  const [, number, unit = ''] = /^(-?\d+)([bkmgt]?)b?$/i.exec(given) ?? [];
  if (number === undefined) throw usageError(`--${name} takes bytes, such as 512m, not '${given}'`);
  return Number(number) * 1024 ** Math.max(0, 'bkmgt'.indexOf(unit.toLowerCase() || 'b'));
}
