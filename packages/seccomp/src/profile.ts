import { jsonProblem, parseJson } from '@lamella/syscall';
import * as v from 'valibot';
import { SeccompError } from './seccomp-error.js';

/** The actions of a rule (seccomp(2), "Filter return values"; OCI runtime-spec, config-linux.md, "Seccomp"). */
const ACTIONS = [
  'SCMP_ACT_KILL',
  'SCMP_ACT_KILL_PROCESS',
  'SCMP_ACT_KILL_THREAD',
  'SCMP_ACT_TRAP',
  'SCMP_ACT_ERRNO',
  'SCMP_ACT_TRACE',
  'SCMP_ACT_ALLOW',
  'SCMP_ACT_LOG',
  'SCMP_ACT_NOTIFY',
] as const;
/** The action of a rule. */
export type Action = (typeof ACTIONS)[number];

/** The comparisons of an argument. `MASKED_EQ` is `(argument & value) == valueTwo`. */
const OPERATORS = ['SCMP_CMP_NE', 'SCMP_CMP_LT', 'SCMP_CMP_LE', 'SCMP_CMP_EQ', 'SCMP_CMP_GE', 'SCMP_CMP_GT', 'SCMP_CMP_MASKED_EQ'] as const;
/** The comparison of an argument. */
export type Operator = (typeof OPERATORS)[number];

/** A condition on an argument. Values are unsigned 64-bit; `index` is 0 to 5. */
export interface ArgumentCondition {
  readonly index: number;
  readonly value: bigint;
  readonly valueTwo?: bigint | undefined;
  readonly op: Operator;
}

/** The containers and machines that a rule applies to. It is Docker's extension of the specification. */
export interface RuleCondition {
  /** Capabilities of the container, as `CAP_NAME`. */
  readonly caps?: readonly string[] | undefined;
  /** Architectures by their Go names: `amd64`, `arm64`, … */
  readonly arches?: readonly string[] | undefined;
  /** The oldest kernel, `MAJOR.MINOR`. */
  readonly minKernel?: string | undefined;
}

/** An action for system calls, with optional conditions. */
export interface SyscallRule {
  readonly names: readonly string[];
  readonly action: Action;
  readonly errnoRet?: number | undefined;
  readonly args?: readonly ArgumentCondition[] | null | undefined;
  readonly includes?: RuleCondition | undefined;
  readonly excludes?: RuleCondition | undefined;
}

/** A seccomp profile of the OCI runtime-spec, with the additions of Docker and podman. */
export interface SeccompProfile {
  readonly defaultAction: Action;
  readonly defaultErrnoRet?: number | undefined;
  /** The architectures of the rules, such as `SCMP_ARCH_X86`; see {@link CompileOptions.compat}. */
  readonly architectures?: readonly string[] | undefined;
  /** Flags for seccomp(2), `SECCOMP_FILTER_FLAG_*`. */
  readonly flags?: readonly string[] | undefined;
  readonly syscalls?: readonly SyscallRule[] | null | undefined;
}

const Uint64 = v.union([
  v.bigint(),
  v.pipe(
    v.number(),
    v.safeInteger(),
    v.minValue(0),
    v.transform((each) => BigInt(each)),
  ),
]);
const Names = v.optional(v.nullable(v.array(v.string())));
const Condition = v.nullish(
  v.looseObject({ caps: Names, arches: Names, minKernel: v.optional(v.pipe(v.string(), v.regex(/^\d+\.\d+/, "is not a kernel's MAJOR.MINOR"))) }),
);
const Errno = v.optional(v.nullable(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(4095))));
const Rule = v.pipe(
  v.looseObject({
    name: v.optional(v.string()),
    names: Names,
    action: v.picklist(ACTIONS),
    errnoRet: Errno,
    args: v.optional(
      v.nullable(
        v.array(
          v.looseObject({
            index: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(5)),
            value: Uint64,
            valueTwo: v.optional(Uint64),
            op: v.picklist(OPERATORS),
          }),
        ),
      ),
    ),
    includes: Condition,
    excludes: Condition,
  }),
  v.check(({ name, names }) => Boolean(name || names?.length), 'has neither name nor names'),
);
const Profile = v.looseObject({
  defaultAction: v.picklist(ACTIONS),
  defaultErrnoRet: Errno,
  flags: Names,
  architectures: Names,
  archMap: v.optional(v.nullable(v.array(v.looseObject({ architecture: v.string(), subArchitectures: Names })))),
  syscalls: v.optional(v.nullable(v.array(Rule))),
});

/**
 * Parses a profile: the JSON of `linux.seccomp` in the OCI runtime-spec, of Docker or of podman.
 * Numbers beyond 2^53 keep their value. Unknown fields are ignored.
 *
 * @param text JSON
 * @param where the profile's name in error messages
 * @throws SeccompError `PROFILE_INVALID`
 */
export function parseProfile(text: string, where: string): SeccompProfile {
  let json: unknown;
  try {
    json = parseJson(text, exact as never);
  } catch (cause) {
    throw invalid(where, jsonProblem(cause), cause);
  }
  return checkProfile(json, where);
}

/** Returns the profile of a parsed document; see {@link parseProfile}. @throws SeccompError `PROFILE_INVALID` */
export function checkProfile(document: unknown, where: string): SeccompProfile {
  const parsed = v.safeParse(Profile, document);
  if (!parsed.success) {
    const [issue] = parsed.issues;
    throw invalid(where, `${v.getDotPath(issue) ?? 'the document'}: ${issue.message}`, undefined);
  }
  const { defaultAction, defaultErrnoRet, flags, syscalls, architectures, archMap } = parsed.output;
  const condition = (given: v.InferOutput<typeof Condition>): RuleCondition | undefined =>
    given ? { caps: given.caps ?? undefined, arches: given.arches ?? undefined, minKernel: given.minKernel } : undefined;
  return {
    defaultAction,
    defaultErrnoRet: defaultErrnoRet ?? undefined,
    flags: flags ?? undefined,
    // Docker's format lists the architectures for each machine in archMap.
    architectures: architectures ?? archMap?.flatMap(({ architecture, subArchitectures }) => [architecture, ...(subArchitectures ?? [])]) ?? undefined,
    syscalls: (syscalls ?? []).map(({ name, names, action, errnoRet, args, includes, excludes }) => ({
      names: names?.length ? names : [name as string],
      action,
      errnoRet: errnoRet ?? undefined,
      args: args ?? undefined,
      includes: condition(includes),
      excludes: condition(excludes),
    })),
  };
}

/** Returns a number beyond 2^53 as a bigint from its source text, because JSON.parse rounds it. */
function exact(_key: string, value: unknown, { source }: { readonly source?: string } = {}): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value) || !source || !/^\d+$/.test(source)) return value;
  const whole = BigInt(source);
  return whole < 1n << 64n ? whole : value;
}

function invalid(where: string, why: string, cause: unknown): SeccompError {
  return new SeccompError({
    code: 'PROFILE_INVALID',
    message: `the seccomp profile ${where} is not valid: ${why}`,
    hint: 'Use the format of linux.seccomp in the OCI runtime-spec, with defaultAction and syscalls.',
    ...(cause === undefined ? {} : { cause }),
  });
}
