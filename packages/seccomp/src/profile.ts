import { jsonProblem, parseJson } from '@lamella/syscall';
import * as v from 'valibot';
import { SeccompError } from './seccomp-error.js';

/** What a system call becomes (seccomp(2), "Filter return values"; OCI runtime-spec, config-linux.md, "Seccomp"). */
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
export type Action = (typeof ACTIONS)[number];

/** How an argument is compared; `MASKED_EQ` is `(argument & value) == valueTwo`. */
const OPERATORS = ['SCMP_CMP_NE', 'SCMP_CMP_LT', 'SCMP_CMP_LE', 'SCMP_CMP_EQ', 'SCMP_CMP_GE', 'SCMP_CMP_GT', 'SCMP_CMP_MASKED_EQ'] as const;
export type Operator = (typeof OPERATORS)[number];

/** A condition on one of the six arguments. Values are unsigned 64-bit. */
export interface ArgumentCondition {
  readonly index: number;
  readonly value: bigint;
  readonly valueTwo?: bigint | undefined;
  readonly op: Operator;
}

/** When a rule counts at all; Docker's extension to the specification. */
export interface RuleCondition {
  /** Capabilities of the container, as `CAP_NAME`. */
  readonly caps?: readonly string[] | undefined;
  /** As Go names them: `amd64`, `arm64`, … */
  readonly arches?: readonly string[] | undefined;
  /** At least this kernel, `MAJOR.MINOR`. */
  readonly minKernel?: string | undefined;
}

export interface SyscallRule {
  readonly names: readonly string[];
  readonly action: Action;
  readonly errnoRet?: number | undefined;
  readonly args?: readonly ArgumentCondition[] | null | undefined;
  readonly includes?: RuleCondition | undefined;
  readonly excludes?: RuleCondition | undefined;
}

/** A profile as the OCI runtime-spec has it, with Docker's and podman's additions. */
export interface SeccompProfile {
  readonly defaultAction: Action;
  readonly defaultErrnoRet?: number | undefined;
  /** Those whose calls it speaks of, as `SCMP_ARCH_X86`; see {@link CompileOptions.compat}. */
  readonly architectures?: readonly string[] | undefined;
  /** `SECCOMP_FILTER_FLAG_*` */
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
  v.check(({ name, names }) => Boolean(name || names?.length), 'names no system call'),
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
 * Read a profile: the JSON of the OCI runtime-spec's `linux.seccomp`, of Docker or of podman.
 * Numbers beyond 2^53 keep their value. Unknown fields are passed over.
 *
 * @param where what messages call it
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

/** The same from a document that was read already. @throws SeccompError `PROFILE_INVALID` */
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
    // Docker's own form says it for each machine.
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

/** JSON.parse rounds what is beyond 2^53; its source does not. */
function exact(_key: string, value: unknown, { source }: { readonly source?: string } = {}): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value) || !source || !/^\d+$/.test(source)) return value;
  const whole = BigInt(source);
  return whole < 1n << 64n ? whole : value;
}

function invalid(where: string, why: string, cause: unknown): SeccompError {
  return new SeccompError({
    code: 'PROFILE_INVALID',
    message: `the seccomp profile ${where} is not one: ${why}`,
    hint: 'It has the form of linux.seccomp in the OCI runtime-spec, with defaultAction and syscalls.',
    ...(cause === undefined ? {} : { cause }),
  });
}
