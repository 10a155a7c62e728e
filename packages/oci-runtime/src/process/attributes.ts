import { setrlimit } from '@lamella/namespace';
import type { Op } from '@lamella/syscall';
import { invalidConfig } from '../config/invalid-config.js';
import type { OciConfig, OciProcess } from '../config/schema.js';
import { withPurpose } from '../errors/op-purposes.js';

/** linux/sched.h */
const POLICIES: Readonly<Record<string, number>> = {
  SCHED_OTHER: 0,
  SCHED_FIFO: 1,
  SCHED_RR: 2,
  SCHED_BATCH: 3,
  SCHED_ISO: 4,
  SCHED_IDLE: 5,
  SCHED_DEADLINE: 6,
};
const SCHED_FLAGS: Readonly<Record<string, number>> = {
  SCHED_FLAG_RESET_ON_FORK: 1,
  SCHED_FLAG_RECLAIM: 2,
  SCHED_FLAG_DL_OVERRUN: 4,
  SCHED_FLAG_KEEP_POLICY: 8,
  SCHED_FLAG_KEEP_PARAMS: 16,
  SCHED_FLAG_UTIL_CLAMP_MIN: 32,
  SCHED_FLAG_UTIL_CLAMP_MAX: 64,
};
/** linux/ioprio.h */
const IO_CLASSES: Readonly<Record<string, number>> = { IOPRIO_CLASS_RT: 1, IOPRIO_CLASS_BE: 2, IOPRIO_CLASS_IDLE: 3 };
const PER_LINUX32 = 8;
/** linux/mempolicy.h */
const POLICY_MODES: Readonly<Record<string, number>> = {
  MPOL_DEFAULT: 0,
  MPOL_PREFERRED: 1,
  MPOL_BIND: 2,
  MPOL_INTERLEAVE: 3,
  MPOL_LOCAL: 4,
  MPOL_PREFERRED_MANY: 5,
  MPOL_WEIGHTED_INTERLEAVE: 6,
};
const POLICY_FLAGS: Readonly<Record<string, number>> = { MPOL_F_NUMA_BALANCING: 1 << 13, MPOL_F_RELATIVE_NODES: 1 << 14, MPOL_F_STATIC_NODES: 1 << 15 };
const IOPRIO_WHO_PROCESS = 1;
/** From this number on a limit means "unlimited". */
const UNLIMITED = Number.MAX_SAFE_INTEGER;

function limit(value: number | bigint): number {
  return value >= UNLIMITED ? -1 : Number(value);
}

/** Returns the ops for `process.rlimits` (getrlimit(2)). */
export function rlimits(process: OciProcess): Op[] {
  return (process.rlimits ?? []).flatMap(({ type, soft, hard }, i) =>
    withPurpose(`process.rlimits[${i}] ${type}`, [setrlimit({ name: type.replace('RLIMIT_', '').toLowerCase(), soft: limit(soft), hard: limit(hard) })]),
  );
}

/** How the kernel runs it: scheduler, priority of its input and output, personality, memory nodes. */
export function scheduling(process: OciProcess, linux: OciConfig['linux']): Op[] {
  return [...scheduler(process), ...ioPriority(process), ...personality(linux), ...memoryPolicy(linux)];
}

function scheduler({ scheduler: given }: OciProcess): Op[] {
  if (!given) return [];
  const policy = POLICIES[given.policy];
  if (policy === undefined) throw invalidConfig('process.scheduler.policy', `'${given.policy}' is not one of ${Object.keys(POLICIES).join(', ')}`);
  const flags = (given.flags ?? []).reduce((sum, name) => {
    const flag = SCHED_FLAGS[name];
    if (flag === undefined) throw invalidConfig('process.scheduler.flags', `'${name}' is not one of ${Object.keys(SCHED_FLAGS).join(', ')}`);
    return sum | flag;
  }, 0);
  const { nice = 0, priority = 0, runtime = 0, deadline = 0, period = 0 } = given;
  return withPurpose('process.scheduler', [{ op: 'sched_setattr', policy, flags, nice, priority, runtime, deadline, period }]);
}

function ioPriority({ ioPriority: given }: OciProcess): Op[] {
  if (!given) return [];
  const kind = IO_CLASSES[given.class];
  if (kind === undefined) throw invalidConfig('process.ioPriority.class', `'${given.class}' is not one of ${Object.keys(IO_CLASSES).join(', ')}`);
  const priority = given.priority ?? 0;
  if (priority < 0 || priority > 7) throw invalidConfig('process.ioPriority.priority', `${priority} is not in the range 0 to 7`);
  return withPurpose('process.ioPriority', [{ op: 'ioprio_set', which: IOPRIO_WHO_PROCESS, who: 0, ioprio: (kind << 13) | priority }]);
}

function personality(linux: OciConfig['linux']): Op[] {
  const given = linux?.personality;
  if (!given) return [];
  if (given.flags?.length) throw invalidConfig('linux.personality.flags', 'flags are not supported');
  return withPurpose('linux.personality', [{ op: 'personality', persona: given.domain === 'LINUX32' ? PER_LINUX32 : 0 }]);
}

function memoryPolicy(linux: OciConfig['linux']): Op[] {
  const given = linux?.memoryPolicy;
  if (!given) return [];
  const mode = POLICY_MODES[given.mode];
  if (mode === undefined) throw invalidConfig('linux.memoryPolicy.mode', `'${given.mode}' is not one of ${Object.keys(POLICY_MODES).join(', ')}`);
  const flags = (given.flags ?? []).reduce((sum, name) => {
    const flag = POLICY_FLAGS[name];
    if (flag === undefined) throw invalidConfig('linux.memoryPolicy.flags', `'${name}' is not one of ${Object.keys(POLICY_FLAGS).join(', ')}`);
    return sum | flag;
  }, 0);
  return withPurpose('linux.memoryPolicy', [
    { op: 'set_mempolicy', mode: mode | flags, mask: given.nodes ? bitmask(given.nodes, 'linux.memoryPolicy.nodes') : '' },
  ]);
}

/** Returns the op that sets the CPUs of an exec'd process (config.md, "execCPUAffinity"). */
export function affinity(list: string | undefined, where: string): Op[] {
  return list ? withPurpose(where, [{ op: 'sched_setaffinity', mask: bitmask(list, where) }]) : [];
}

/** Returns a list such as `0-3,7` as a bit mask of longs. */
function bitmask(list: string, where: string): Uint8Array {
  const bits = new Set<number>();
  for (const part of list.split(',')) {
    const [, first, last] = /^\s*(\d{1,5})(?:-(\d{1,5}))?\s*$/.exec(part) ?? [];
    if (first === undefined || Number(last ?? first) < Number(first)) throw invalidConfig(where, `'${list}' is not a list of the form 0-3,7`);
    for (let bit = Number(first); bit <= Number(last ?? first); bit++) bits.add(bit);
  }
  const mask = Buffer.alloc(Math.ceil((Math.max(...bits) + 1) / 64) * 8);
  for (const bit of bits) mask[bit >> 3] = (mask[bit >> 3] ?? 0) | (1 << (bit & 7));
  return mask;
}
