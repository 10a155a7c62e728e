import { ARCHITECTURES, type Architecture, type ArchitectureName } from './architecture.js';
import { Assembler, type Label } from './assembler.js';
import type { CompileOptions } from './compile-options.js';
import { COMPILE_OPTIONS, read } from './option-shapes.js';
import type { Action, ArgumentCondition, RuleCondition, SeccompProfile, SyscallRule } from './profile.js';
import { SeccompError } from './seccomp-error.js';

/** A filter, ready for seccomp(2). */
export interface SeccompFilter {
  /** `struct sock_filter[]` */
  readonly filter: Uint8Array;
  /** The `flags` of seccomp(2), `SECCOMP_FILTER_FLAG_*`. */
  readonly flags: number;
  /** Whether a verdict of the filter asks a listener (`SCMP_ACT_NOTIFY`). */
  readonly notifies: boolean;
}

/** SECCOMP_RET_* (linux/seccomp.h). */
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
/** SECCOMP_FILTER_FLAG_*; the listener's is set when it is needed. */
const FLAGS: Readonly<Record<string, number>> = {
  SECCOMP_FILTER_FLAG_TSYNC: 1,
  SECCOMP_FILTER_FLAG_LOG: 2,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW: 4,
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: 32,
};
/** Defaults that let a call happen, or ask somebody, are none of them. */
const DENYING: ReadonlySet<Action> = new Set(['SCMP_ACT_ERRNO', 'SCMP_ACT_KILL', 'SCMP_ACT_KILL_PROCESS', 'SCMP_ACT_KILL_THREAD', 'SCMP_ACT_TRAP']);
const EPERM = 1;
const ENOSYS = 38;
/** BPF_MAXINSNS */
const MOST = 4096;
const NUMBER_AT = 0;
const ARCHITECTURE_AT = 4;
const ARGUMENTS_AT = 16;

/** A verdict under conditions, all of which must hold. */
interface Case {
  readonly verdict: number;
  readonly conditions: readonly ArgumentCondition[];
}

/** System calls from `first` on, until the next range begins, which are treated alike. */
interface Range {
  readonly first: number;
  readonly cases: readonly Case[];
}

/**
 * Compile a profile for one machine. The filter is a balanced search over ranges of numbers, so that
 * no call waits for the whole list. Entries other than the machine's own are closed: 32-bit calls
 * kill the process (but see `compat`), those of x32 do not exist (ENOSYS).
 *
 * For a call with several rules the first whose conditions hold counts, those with conditions before
 * those without; several conditions on one argument in a rule are alternatives, as runc has it.
 *
 * @throws SeccompError `PROFILE_TOO_LARGE`, `FLAG_UNKNOWN`
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
  // The beginning, from its end: what comes first is put last.
  if (architecture.closedBit !== undefined) {
    // -1 is what a tracer makes of a call that it cancels: it gets what the kernel gives.
    assembler.branch('ge', architecture.closedBit, absent, top);
  } else assembler.goto(top);
  const number = assembler.load(NUMBER_AT);
  const other = both ? assembler.branch('eq', compat.audit, others, killed) : killed;
  assembler.branch('eq', architecture.audit, number, other);
  assembler.load(ARCHITECTURE_AT);
  if (assembler.length > MOST)
    throw new SeccompError({
      code: 'PROFILE_TOO_LARGE',
      message: `the seccomp profile becomes ${assembler.length} instructions, and the kernel takes ${MOST}`,
      hint: 'Fewer rules with conditions on arguments make it smaller.',
    });
  return { filter: assembler.bytes(), flags: flagsOf(profile.flags ?? []), notifies: verdicts.has(VERDICTS.SCMP_ACT_NOTIFY) };
}

function architectureOf({ architecture = process.arch as ArchitectureName }: CompileOptions): Architecture {
  const found: Architecture | undefined = ARCHITECTURES[architecture];
  if (found) return found;
  throw new SeccompError({
    code: 'ARCHITECTURE_UNKNOWN',
    message: `there is no table of system calls for ${architecture}`,
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
      hint: `Known are ${Object.keys(FLAGS).join(', ')}.`,
    });
  }, 0);
}

function verdictOf(action: Action, errno: number | undefined): number {
  const takesData = action === 'SCMP_ACT_ERRNO' || action === 'SCMP_ACT_TRACE';
  return (VERDICTS[action] | (takesData ? (errno ?? EPERM) : 0)) >>> 0;
}

/** The rules of a profile that count for a container, in their order. */
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

/** The treatment of the calls of one entry. @param change of the conditions of a rule */
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

/** The arguments of 32-bit calls have no upper half, and what is compared with them must have none. */
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
    // A rule that says what is the case anyway would only hide others.
    if (verdict === fallback) continue;
    const alternatives = alternativesOf((rule.args ?? []).map(change));
    for (const name of rule.names) {
      const number = numbers.get(name);
      // Every kernel and machine has others; a profile names those of all.
      if (number === undefined) continue;
      const cases = found.get(number) ?? [];
      for (const conditions of alternatives) cases.push({ verdict, conditions });
      found.set(number, cases);
    }
  }
  for (const cases of found.values()) cases.sort((a, b) => Number(a.conditions.length === 0) - Number(b.conditions.length === 0));
  return found;
}

/** Conditions on different arguments hold together; several on one are alternatives. */
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

/** The whole line of numbers, cut where the treatment changes. */
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

/** Test a call's cases in order; what none of them takes is as by default. */
function handler(assembler: Assembler, cases: readonly Case[], leave: (verdict: number) => Label, fallback: number): Label {
  let next = leave(fallback);
  for (const { verdict, conditions } of cases.toReversed()) {
    let hit = leave(verdict);
    for (const condition of conditions.toReversed()) hit = test(assembler, condition, hit, next);
    next = hit;
  }
  return next;
}

/** One comparison of 64 bits with instructions for 32. */
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
  /** The upper halves decide, or, where they are equal, the lower ones. */
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
      // A value outside of the mask can never be met, and is not made to be.
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

/** A balanced tree of comparisons over ranges. */
function search(assembler: Assembler, ranges: readonly Range[], labelOf: (range: Range) => Label): Label {
  const [only] = ranges;
  if (ranges.length === 1 && only) return labelOf(only);
  const middle = ranges.length >> 1;
  const upper = search(assembler, ranges.slice(middle), labelOf);
  const lower = search(assembler, ranges.slice(0, middle), labelOf);
  return assembler.branch('ge', (ranges[middle] as Range).first, upper, lower);
}
