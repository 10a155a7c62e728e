import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  ARCHITECTURES,
  type ArgumentCondition,
  compileProfile,
  DEFAULT_PROFILE,
  evaluate,
  parseProfile,
  type SeccompProfile,
  type SyscallRule,
  VERDICTS,
} from './index.js';

const X64 = ARCHITECTURES.x64;
const number = (name: string): number => X64.numbers.get(name) ?? -1;
const ALLOW = VERDICTS.SCMP_ACT_ALLOW;
const errno = (code: number): number => VERDICTS.SCMP_ACT_ERRNO | code;
const ask = (profile: SeccompProfile, name: string, args: bigint[] = [], options = {}): number =>
  evaluate(compileProfile(profile, { architecture: 'x64', ...options }).filter, { number: number(name), architecture: X64.audit, args });

/** What a profile says, found without a filter: the first rule whose conditions hold, unconditional ones last. */
function expected(rules: readonly SyscallRule[], fallback: number, name: string, args: readonly bigint[]): number {
  const holds = ({ index, value, valueTwo = 0n, op }: ArgumentCondition): boolean => {
    const is = args[index] ?? 0n;
    return {
      SCMP_CMP_EQ: is === value,
      SCMP_CMP_NE: is !== value,
      SCMP_CMP_LT: is < value,
      SCMP_CMP_LE: is <= value,
      SCMP_CMP_GT: is > value,
      SCMP_CMP_GE: is >= value,
      SCMP_CMP_MASKED_EQ: (is & value) === valueTwo,
    }[op];
  };
  const own = rules.filter((rule) => rule.names.includes(name) && verdict(rule) !== fallback);
  const found = [...own.filter(({ args: list }) => list?.length), ...own.filter(({ args: list }) => !list?.length)].find(({ args: list = [] }) =>
    list?.every(holds),
  );
  return found ? verdict(found) : fallback;
}
const verdict = ({ action, errnoRet }: SyscallRule): number => (VERDICTS[action] | (action === 'SCMP_ACT_ERRNO' ? (errnoRet ?? 1) : 0)) >>> 0;

const edge = fc.oneof(
  fc.constantFrom(0n, 1n, 0xffffffffn, 0x100000000n, 0x1_0000_0001n, (1n << 63n) - 1n, 1n << 63n, (1n << 64n) - 1n),
  fc.bigInt(0n, (1n << 64n) - 1n),
);
const condition = (index: number): fc.Arbitrary<ArgumentCondition> =>
  fc.record({
    index: fc.constant(index),
    value: edge,
    valueTwo: edge,
    op: fc.constantFrom('SCMP_CMP_NE', 'SCMP_CMP_LT', 'SCMP_CMP_LE', 'SCMP_CMP_EQ', 'SCMP_CMP_GE', 'SCMP_CMP_GT', 'SCMP_CMP_MASKED_EQ'),
  });
const names = ['read', 'write', 'open', 'close', 'socket', 'clone', 'mount', 'mseal'];
const rule: fc.Arbitrary<SyscallRule> = fc.record({
  names: fc.uniqueArray(fc.constantFrom(...names), { minLength: 1, maxLength: 4 }),
  action: fc.constantFrom('SCMP_ACT_ALLOW', 'SCMP_ACT_ERRNO', 'SCMP_ACT_LOG', 'SCMP_ACT_TRAP', 'SCMP_ACT_KILL_PROCESS'),
  errnoRet: fc.constantFrom(1, 13, 38),
  args: fc.uniqueArray(fc.nat(5), { maxLength: 3 }).chain((indexes) => fc.tuple(...indexes.map(condition))),
});

test('a filter gives the verdict of its profile for every call and argument edge of random profiles', () => {
  fc.assert(
    fc.property(
      fc.array(rule, { maxLength: 12 }),
      fc.constantFrom('SCMP_ACT_ALLOW' as const, 'SCMP_ACT_ERRNO' as const),
      fc.array(edge, { minLength: 6, maxLength: 6 }),
      (syscalls, defaultAction, args) => {
        const { filter } = compileProfile({ defaultAction, syscalls }, { architecture: 'x64' });
        const fallback = (VERDICTS[defaultAction] | (defaultAction === 'SCMP_ACT_ERRNO' ? 1 : 0)) >>> 0;
        // The values of the conditions themselves are the edges that matter.
        const values = syscalls.flatMap((each) =>
          (each.args ?? []).flatMap(({ value }) => [value, BigInt.asUintN(64, value + 1n), BigInt.asUintN(64, value - 1n)]),
        );
        for (const tried of [args, ...values.slice(0, 12).map((value) => args.map(() => value))])
          for (const name of [...names, 'getpid'])
            expect(evaluate(filter, { number: number(name), architecture: X64.audit, args: tried })).toBe(expected(syscalls, fallback, name, tried));
      },
    ),
    { numRuns: 300 },
  );
});

describe('calls of other architectures are denied', () => {
  const { filter } = compileProfile({ defaultAction: 'SCMP_ACT_ALLOW' }, { architecture: 'x64' });
  test('a 32-bit call kills the process', () => {
    expect(evaluate(filter, { number: 1, architecture: 0x40000003 })).toBe(VERDICTS.SCMP_ACT_KILL_PROCESS);
    const arm = compileProfile({ defaultAction: 'SCMP_ACT_ALLOW' }, { architecture: 'arm64' });
    expect(evaluate(arm.filter, { number: 1, architecture: 0x40000028 })).toBe(VERDICTS.SCMP_ACT_KILL_PROCESS);
    expect(evaluate(arm.filter, { number: 1, architecture: ARCHITECTURES.arm64.audit })).toBe(ALLOW);
  });
  test('an x32 call fails with ENOSYS', () => expect(evaluate(filter, { number: 0x40000001, architecture: X64.audit })).toBe(errno(38)));
});

test('rules apply by capability, architecture and kernel', () => {
  const profile = parseProfile(
    JSON.stringify({
      defaultAction: 'SCMP_ACT_ERRNO',
      syscalls: [
        { names: ['mount'], action: 'SCMP_ACT_ALLOW', includes: { caps: ['CAP_SYS_ADMIN'] } },
        { names: ['read'], action: 'SCMP_ACT_ALLOW', excludes: { caps: ['CAP_SYS_ADMIN'] } },
        { names: ['ptrace'], action: 'SCMP_ACT_ALLOW', includes: { minKernel: '4.8' } },
        { names: ['write'], action: 'SCMP_ACT_ALLOW', includes: { arches: ['arm64'] } },
        { name: 'close', action: 'SCMP_ACT_LOG' },
        { names: ['not_a_syscall'], action: 'SCMP_ACT_ALLOW' },
      ],
    }),
    'test',
  );
  const admin = { capabilities: ['SYS_ADMIN'] };
  expect([ask(profile, 'mount'), ask(profile, 'mount', [], admin)]).toEqual([errno(1), ALLOW]);
  expect([ask(profile, 'read'), ask(profile, 'read', [], admin)]).toEqual([ALLOW, errno(1)]);
  expect([ask(profile, 'ptrace', [], { kernel: '4.7.9' }), ask(profile, 'ptrace', [], { kernel: '4.10.0-1' })]).toEqual([errno(1), ALLOW]);
  expect(ask(profile, 'write')).toBe(errno(1));
  expect(ask(profile, 'close')).toBe(VERDICTS.SCMP_ACT_LOG);
});

test('several conditions on one argument are alternatives', () => {
  const args = [1n, 2n].map((value): ArgumentCondition => ({ index: 0, value, op: 'SCMP_CMP_EQ' }));
  const profile: SeccompProfile = { defaultAction: 'SCMP_ACT_ERRNO', syscalls: [{ names: ['socket'], action: 'SCMP_ACT_ALLOW', args }] };
  expect([1n, 2n, 3n].map((value) => ask(profile, 'socket', [value]))).toEqual([ALLOW, ALLOW, errno(1)]);
});

test('numbers beyond 2^53 keep their value', () => {
  const text =
    '{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW","args":[{"index":1,"value":18446744073709551614,"op":"SCMP_CMP_EQ"}]}]}';
  const profile = parseProfile(text, 'test');
  expect(ask(profile, 'read', [0n, (1n << 64n) - 2n])).toBe(ALLOW);
  expect(ask(profile, 'read', [0n, (1n << 64n) - 1n])).toBe(errno(1));
});

test.for<[what: string, text: string, message: RegExp]>([
  ['no JSON', '{', /profile bad is not valid/],
  ['no default', '{}', /defaultAction/],
  ['an unknown action', '{"defaultAction":"ALLOW"}', /defaultAction/],
  ['a rule without names', '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"action":"SCMP_ACT_LOG"}]}', /syscalls\.0.*has neither name nor names/],
  [
    'a seventh argument',
    '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["read"],"action":"SCMP_ACT_LOG","args":[{"index":6,"value":1,"op":"SCMP_CMP_EQ"}]}]}',
    /args\.0\.index/,
  ],
  [
    'a negative value',
    '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["read"],"action":"SCMP_ACT_LOG","args":[{"index":0,"value":-1,"op":"SCMP_CMP_EQ"}]}]}',
    /args\.0\.value/,
  ],
])('%s is refused with its place in the profile', ([, text, message]) => {
  expect(() => parseProfile(text, 'bad')).toThrow(expect.objectContaining({ code: 'PROFILE_INVALID', message: expect.stringMatching(message) }));
});

test('a profile with too many conditions is refused, and one with many gives the right verdicts', () => {
  const args = (count: number): SyscallRule[] =>
    Array.from({ length: count }, (_, i) => ({
      names: [names[i % names.length] as string],
      action: 'SCMP_ACT_ALLOW',
      args: [{ index: 0, value: BigInt(i), op: 'SCMP_CMP_EQ' }],
    }));
  expect(() => compileProfile({ defaultAction: 'SCMP_ACT_ERRNO', syscalls: args(3000) }, { architecture: 'x64' })).toThrow(
    expect.objectContaining({ code: 'PROFILE_TOO_LARGE' }),
  );
  const many: SeccompProfile = { defaultAction: 'SCMP_ACT_ERRNO', syscalls: args(800) };
  for (const i of [0, 1, 399, 798, 799]) expect(ask(many, names[i % names.length] as string, [BigInt(i)])).toBe(ALLOW);
  expect(ask(many, 'read', [801n])).toBe(errno(1));
});

test('the default profile allows what programs need and denies the rest', () => {
  const plain = { capabilities: ['CHOWN', 'SYS_CHROOT'] };
  for (const name of ['read', 'openat', 'execve', 'mmap', 'futex', 'socketpair', 'chroot', 'ptrace'])
    expect([name, ask(DEFAULT_PROFILE, name, [], plain)]).toEqual([name, ALLOW]);
  for (const name of ['mount', 'unshare', 'setns', 'keyctl', 'bpf', 'kexec_load', 'init_module', 'reboot', 'io_uring_setup', 'userfaultfd', 'perf_event_open'])
    expect([name, ask(DEFAULT_PROFILE, name, [], plain)]).toEqual([name, errno(1)]);
  expect(ask(DEFAULT_PROFILE, 'clone3', [], plain)).toBe(errno(38));
  expect(ask(DEFAULT_PROFILE, 'clone', [0x01200011n], plain)).toBe(ALLOW);
  expect(ask(DEFAULT_PROFILE, 'clone', [0x10000011n], plain)).toBe(errno(1));
  expect(ask(DEFAULT_PROFILE, 'socket', [2n], plain)).toBe(ALLOW);
  expect(ask(DEFAULT_PROFILE, 'socket', [40n], plain)).toBe(errno(1));
  expect(ask(DEFAULT_PROFILE, 'personality', [0x20000n], plain)).toBe(ALLOW);
  expect(ask(DEFAULT_PROFILE, 'personality', [0x40000n], plain)).toBe(errno(1));
  const admin = { capabilities: ['SYS_ADMIN'] };
  for (const name of ['mount', 'unshare', 'setns', 'clone3', 'bpf']) expect([name, ask(DEFAULT_PROFILE, name, [0x10000011n], admin)]).toEqual([name, ALLOW]);
  // A call that exists on both architectures has the same verdict on both.
  for (const [name, at] of ARCHITECTURES.arm64.numbers) {
    const arm = evaluate(compileProfile(DEFAULT_PROFILE, { architecture: 'arm64', ...plain }).filter, { number: at, architecture: ARCHITECTURES.arm64.audit });
    if (X64.numbers.has(name)) expect([name, arm]).toEqual([name, ask(DEFAULT_PROFILE, name, [], plain)]);
  }
});
