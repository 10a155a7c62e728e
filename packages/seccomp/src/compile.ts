import { ARCHITECTURES, type Architecture, type ArchitectureName } from './architecture.js';
import { Assembler, type Label } from './assembler.js';
import type { CompileOptions } from './compile-options.js';
import { COMPILE_OPTIONS, read } from './option-shapes.js';
import type { Action, ArgumentCondition, RuleCondition, SeccompProfile, SyscallRule } from './profile.js';
import { SeccompError } from './seccomp-error.js';

/** A compiled filter for seccomp(2). */
export interface SeccompFilter {
  /** The instructions, `struct sock_filter[]`. */
  readonly filter: Uint8Array;
  /** The `flags` of seccomp(2), `SECCOMP_FILTER_FLAG_*`. */
  readonly flags: number;
  /** Whether a rule has `SCMP_ACT_NOTIFY`, so that the filter needs a listener. */
  readonly notifies: boolean;
}

/** The verdict of each action, `SECCOMP_RET_*` (linux/seccomp.h). */
export const VERDICTS: Readonly<Record<Action, number>> = {
  SCMP_ACT_KILL: 0x00000000,
  SCMP_ACT_KILL_THREAD: 0x00000000,
  SCMP_ACT_KILL_PROCESS: 0x80000000,
  SCMP_ACT_TRAP: 0x00030000,
  SCMP_ACT_ERRNO: 0x00050000,
  SCMP_ACT_TRACE: 0x7ff00000,
  SCMP_ACT_NOTIFY: 0x7fc00000,
  SCMP_ACT_LOG: 0x7ffc0000,
  SCMP_ACT_ALLOW: 0x7fff0000,
};
/** SECCOMP_FILTER_FLAG_*, without NEW_LISTENER: `notifies` shows whether it is needed. */
const FLAGS: Readonly<Record<string, number>> = {
  SECCOMP_FILTER_FLAG_TSYNC: 1,
  SECCOMP_FILTER_FLAG_LOG: 2,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW: 4,
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: 32,
};
/** The default actions that deny a call. */
const DENYING: ReadonlySet<Action> = new Set(['SCMP_ACT_ERRNO', 'SCMP_ACT_KILL', 'SCMP_ACT_KILL_PROCESS', 'SCMP_ACT_KILL_THREAD', 'SCMP_ACT_TRAP']);
const EPERM = 1;
const ENOSYS = 38;
/** BPF_MAXINSNS */
const MOST = 4096;
const NUMBER_AT = 0;
const ARCHITECTURE_AT = 4;
const ARGUMENTS_AT = 16;

/** A verdict, and the conditions that must all hold for it. */
interface Case {
  readonly verdict: number;
  readonly conditions: readonly ArgumentCondition[];
}

/** System calls with the same cases, from the number `first` to the start of the next range. */
interface Range {
  readonly first: number;
  readonly cases: readonly Case[];
}

/**
 * Compiles a profile for one machine. The filter is a balanced search over ranges of call numbers, so that
 * no call passes through the whole list. A 32-bit call kills the process (except with `compat`). An x32 call
 * fails with ENOSYS.
 *
 * If several rules name a call, the first rule whose conditions hold decides. Rules with conditions come
 * before rules without. Several conditions on the same argument are alternatives, as in runc.
 *
 * @throws SeccompError `PROFILE_TOO_LARGE`, `FLAG_UNKNOWN`, `ARCHITECTURE_UNKNOWN`
 *
 * @example
 * ```js
 * import { compileProfile, DEFAULT_PROFILE } from '@lamella/seccomp';
 *
 * const { filter } = compileProfile(DEFAULT_PROFILE, { architecture: 'x64' });
 * console.log(filter.length % 8); // 0
 * ```
 */
export function compileProfile(profile: SeccompProfile, given: CompileOptions = {}): SeccompFilter {
  const options = read('compileProfile(profile, options)', given, COMPILE_OPTIONS);
  const architecture = architectureOf(options);
  const fallback = verdictOf(profile.defaultAction, profile.defaultErrnoRet);
  const { compat } = architecture;
  const both = options.compat && compat && profile.architectures?.includes(compat.name);
  const ranges = rangesFor(profile, options, architecture.numbers, fallback);
  const compatRanges = both ? rangesFor(profile, options, compat.numbers, fallback, narrowed) : [];
  const assembler = new Assembler();
  const returns = new Map<number, Label>();
  const leave = (verdict: number): Label => {
    const known = returns.get(verdict);
    if (known !== undefined) return known;
    const label = assembler.ret(verdict);
    returns.set(verdict, label);
    return label;
  };
  const verdicts = new Set([fallback, ...[...ranges, ...compatRanges].flatMap(({ cases }) => cases.map(({ verdict }) => verdict))]);
  for (const verdict of verdicts) leave(verdict);
  const killed = leave(VERDICTS.SCMP_ACT_KILL_PROCESS);
  const absent = leave(VERDICTS.SCMP_ACT_ERRNO | ENOSYS);
  const tree = (found: readonly Range[]): Label => {
    const handlers = new Map<readonly Case[], Label>();
    for (const { cases } of found) handlers.set(cases, handler(assembler, cases, leave, fallback));
    return search(assembler, found, (range) => handlers.get(range.cases) ?? leave(fallback));
  };
  let others = killed;
  if (both) {
    assembler.goto(tree(compatRanges));
    others = assembler.load(NUMBER_AT);
  }
  const top = tree(ranges);
  // The assembler works backwards: the first instructions of the filter are added last.
  if (architecture.closedBit !== undefined) {
    // A tracer cancels a call by the number -1. The kernel answers it with ENOSYS, and so does the filter.
    assembler.branch('ge', architecture.closedBit, absent, top);
  } else assembler.goto(top);
  const number = assembler.load(NUMBER_AT);
  const other = both ? assembler.branch('eq', compat.audit, others, killed) : killed;
  assembler.branch('eq', architecture.audit, number, other);
  assembler.load(ARCHITECTURE_AT);
  if (assembler.length > MOST)
    throw new SeccompError({
      code: 'PROFILE_TOO_LARGE',
      message: `the seccomp profile compiles to ${assembler.length} instructions, and the kernel accepts ${MOST} at most`,
      hint: 'Remove rules that have conditions on arguments.',
    });
  return { filter: assembler.bytes(), flags: flagsOf(profile.flags ?? []), notifies: verdicts.has(VERDICTS.SCMP_ACT_NOTIFY) };
}

function architectureOf({ architecture = process.arch as ArchitectureName }: CompileOptions): Architecture {
  const found: Architecture | undefined = ARCHITECTURES[architecture];
  if (found) return found;
  throw new SeccompError({
    code: 'ARCHITECTURE_UNKNOWN',
    message: `cannot compile a seccomp profile for the unknown architecture '${architecture}'`,
    hint: 'Run without a filter: --security-opt seccomp=unconfined.',
  });
}

function flagsOf(names: readonly string[]): number {
  return names.reduce((flags, name) => {
    const flag = FLAGS[name];
    if (flag !== undefined) return flags | flag;
    throw new SeccompError({
      code: 'FLAG_UNKNOWN',
      message: `'${name}' is not a flag of seccomp filters`,
      hint: `Use ${Object.keys(FLAGS).join(', ')}.`,
    });
  }, 0);
}

function verdictOf(action: Action, errno: number | undefined): number {
  const takesData = action === 'SCMP_ACT_ERRNO' || action === 'SCMP_ACT_TRACE';
  return (VERDICTS[action] | (takesData ? (errno ?? EPERM) : 0)) >>> 0;
}

/**
 * Returns the rules of a profile that apply to a container with these capabilities, kernel and architecture, in their order.
 *
 * @throws SeccompError `ARCHITECTURE_UNKNOWN`
 */
export function applicableRules(profile: SeccompProfile, given: CompileOptions = {}): readonly SyscallRule[] {
  const options = read('applicableRules(profile, options)', given, COMPILE_OPTIONS);
  const { go } = architectureOf(options);
  const capabilities = new Set(options.capabilities?.map((name) => `CAP_${name.replace(/^CAP_/, '')}`));
  const caps = (condition: RuleCondition): boolean => Boolean(condition.caps?.some((name) => capabilities.has(name)));
  const arches = (condition: RuleCondition): boolean => Boolean(condition.arches?.includes(go));
  return (profile.syscalls ?? []).filter(({ includes, excludes }) => {
    if (excludes && (caps(excludes) || arches(excludes) || (excludes.minKernel !== undefined && isAtLeast(options.kernel, excludes.minKernel)))) return false;
    if (!includes) return true;
    if (includes.caps?.length && !includes.caps.every((name) => capabilities.has(name))) return false;
    if (includes.arches?.length && !arches(includes)) return false;
    return includes.minKernel === undefined || isAtLeast(options.kernel, includes.minKernel);
  });
}

/** Returns the ranges of the calls of one architecture. @param change is applied to each condition of a rule */
function rangesFor(
  profile: SeccompProfile,
  options: CompileOptions,
  numbers: ReadonlyMap<string, number>,
  fallback: number,
  change: (condition: ArgumentCondition) => ArgumentCondition = (condition) => condition,
): Range[] {
  const cases = casesByNumber(profile, options, numbers, fallback, change);
  const ranges = rangesOf(cases, fallback);
  if (!options.newerAreAbsent || !cases.size || !DENYING.has(profile.defaultAction)) return ranges;
  const newest = Math.max(...cases.keys());
  if (ranges.at(-1)?.first === newest + 1) ranges.pop();
  ranges.push({ first: newest + 1, cases: [{ verdict: VERDICTS.SCMP_ACT_ERRNO | ENOSYS, conditions: [] }] });
  return ranges;
}

/** Returns a condition for a 32-bit call, whose arguments have 32 bits: the values lose their upper halves. */
function narrowed(condition: ArgumentCondition): ArgumentCondition {
  const { value, valueTwo } = condition;
  return { ...condition, value: value & 0xffffffffn, ...(valueTwo === undefined ? {} : { valueTwo: valueTwo & 0xffffffffn }) };
}

function casesByNumber(
  profile: SeccompProfile,
  options: CompileOptions,
  numbers: ReadonlyMap<string, number>,
  fallback: number,
  change: (condition: ArgumentCondition) => ArgumentCondition,
): Map<number, Case[]> {
  const found = new Map<number, Case[]>();
  for (const rule of applicableRules(profile, options)) {
    const verdict = verdictOf(rule.action, rule.errnoRet);
    // A rule with the default verdict would only hide later rules.
    if (verdict === fallback) continue;
    const alternatives = alternativesOf((rule.args ?? []).map(change));
    for (const name of rule.names) {
      const number = numbers.get(name);
      // A profile names calls of all kernels and architectures. This one does not have the call.
      if (number === undefined) continue;
      const cases = found.get(number) ?? [];
      for (const conditions of alternatives) cases.push({ verdict, conditions });
      found.set(number, cases);
    }
  }
  for (const cases of found.values()) cases.sort((a, b) => Number(a.conditions.length === 0) - Number(b.conditions.length === 0));
  return found;
}

/** Returns the alternatives of a rule. Conditions on different arguments hold together; several on one argument are alternatives. */
function alternativesOf(args: readonly ArgumentCondition[]): readonly (readonly ArgumentCondition[])[] {
  const indexes = args.map(({ index }) => index);
  return new Set(indexes).size === indexes.length ? [args] : args.map((each) => [each]);
}

function isAtLeast(kernel: string | undefined, wanted: string): boolean {
  if (kernel === undefined) return true;
  const [major = 0, minor = 0] = kernel.split('.').map((part) => Number.parseInt(part, 10));
  const [wantedMajor = 0, wantedMinor = 0] = wanted.split('.').map(Number);
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}

/** Returns ranges that cover all call numbers. A new range starts where the cases change. */
function rangesOf(cases: ReadonlyMap<number, readonly Case[]>, fallback: number): Range[] {
  const none: readonly Case[] = [{ verdict: fallback, conditions: [] }];
  const known = new Map<string, readonly Case[]>();
  const shared = (list: readonly Case[]): readonly Case[] => {
    const key = JSON.stringify(list, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value));
    const same = known.get(key) ?? list;
    known.set(key, same);
    return same;
  };
  const ranges: Range[] = [{ first: 0, cases: shared(none) }];
  const add = (first: number, list: readonly Case[]): void => {
    const last = ranges.at(-1) as Range;
    if (last.cases === list) return;
    if (last.first === first) ranges.pop();
    if (ranges.at(-1)?.cases !== list) ranges.push({ first, cases: list });
  };
  for (const [number, list] of [...cases].sort(([a], [b]) => a - b)) {
    add(number, shared(list));
    if (!cases.has(number + 1)) add(number + 1, shared(none));
  }
  return ranges;
}

/** Adds the tests of a call's cases, in order. If no case matches, the verdict is `fallback`. */
function handler(assembler: Assembler, cases: readonly Case[], leave: (verdict: number) => Label, fallback: number): Label {
  let next = leave(fallback);
  for (const { verdict, conditions } of cases.toReversed()) {
    let hit = leave(verdict);
    for (const condition of conditions.toReversed()) hit = test(assembler, condition, hit, next);
    next = hit;
  }
  return next;
}

/** Adds a comparison of 64 bits, made of instructions for 32 bits. */
function test(assembler: Assembler, { index, value, valueTwo = 0n, op }: ArgumentCondition, yes: Label, no: Label): Label {
  const low = ARGUMENTS_AT + index * 8;
  const split = (whole: bigint): [high: number, low: number] => [Number(whole >> 32n), Number(whole & 0xffffffffn)];
  const [high, lower] = split(value);
  const equal = (wantedHigh: number, wantedLow: number, masks: readonly [number, number] | undefined, same: Label, other: Label): Label => {
    assembler.branch('eq', wantedLow, same, other);
    if (masks) assembler.and(masks[1]);
    const lowTest = assembler.load(low);
    assembler.branch('eq', wantedHigh, lowTest, other);
    if (masks) assembler.and(masks[0]);
    return assembler.load(low + 4);
  };
  /** Compares the upper halves, and the lower halves if the upper ones are equal. */
  const ordered = (how: 'gt' | 'ge', greater: Label, notGreater: Label): Label => {
    assembler.branch(how, lower, greater, notGreater);
    const lowTest = assembler.load(low);
    const equalHigh = assembler.branch('eq', high, lowTest, notGreater);
    assembler.branch('gt', high, greater, equalHigh);
    return assembler.load(low + 4);
  };
  switch (op) {
    case 'SCMP_CMP_EQ':
      return equal(high, lower, undefined, yes, no);
    case 'SCMP_CMP_NE':
      return equal(high, lower, undefined, no, yes);
    case 'SCMP_CMP_MASKED_EQ': {
      // A value with bits outside the mask never matches, as in the kernel. It is not masked here.
      const [wantedHigh, wantedLow] = split(valueTwo);
      return equal(wantedHigh, wantedLow, split(value), yes, no);
    }
    case 'SCMP_CMP_GT':
      return ordered('gt', yes, no);
    case 'SCMP_CMP_GE':
      return ordered('ge', yes, no);
    case 'SCMP_CMP_LT':
      return ordered('ge', no, yes);
    case 'SCMP_CMP_LE':
      return ordered('gt', no, yes);
  }
}

/** Adds a balanced search over the ranges. */
function search(assembler: Assembler, ranges: readonly Range[], labelOf: (range: Range) => Label): Label {
  const [only] = ranges;
  if (ranges.length === 1 && only) return labelOf(only);
  const middle = ranges.length >> 1;
  const upper = search(assembler, ranges.slice(middle), labelOf);
  const lower = search(assembler, ranges.slice(0, middle), labelOf);
  return assembler.branch('ge', (ranges[middle] as Range).first, upper, lower);
}
