import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { DEFAULT_CAPABILITIES } from '@lamella/namespace';
import { type Action, ARCHITECTURES, applicableRules, compileProfile, DEFAULT_PROFILE, evaluate, parseProfile, type SeccompProfile } from '@lamella/seccomp';
import { type ScratchDirectory, scratch, skip } from '@lamella-test/scratch';
import fc from 'fast-check';
import { expect, type TestContext, test } from 'vitest';

const X64 = ARCHITECTURES.x64;
const options = { architecture: 'x64', capabilities: DEFAULT_CAPABILITIES, kernel: '6.1' } as const;

/** An entry to the kernel: whose calls they are, by libseccomp's name of it. */
type Entry = Pick<(typeof ARCHITECTURES)['x64'], 'audit' | 'numbers'> & { readonly name?: string };

/** The filter that libseccomp makes of the same rules, by a program that is written, compiled and run for it. */
function libseccomp(at: ScratchDirectory, profile: SeccompProfile, { name: entry, numbers }: Entry = X64): Uint8Array {
  const action = (name: Action, errno = 1): string =>
    name === 'SCMP_ACT_ERRNO' ? `SCMP_ACT_ERRNO(${errno})` : name === 'SCMP_ACT_TRACE' ? `SCMP_ACT_TRACE(${errno})` : name;
  const fallback = action(profile.defaultAction, profile.defaultErrnoRet);
  const lines = applicableRules(profile, options).flatMap((rule) =>
    rule.names.flatMap((name) => {
      const number = numbers.get(name);
      const verdict = action(rule.action, rule.errnoRet);
      if (number === undefined || verdict === fallback) return [];
      const args = (rule.args ?? []).map(({ index, value, valueTwo = 0n, op }) => `SCMP_CMP64(${index}, ${op}, ${value}ULL, ${valueTwo}ULL)`);
      const list = args.length ? `(struct scmp_arg_cmp[]){${args.join(', ')}}` : 'NULL';
      return `  if (seccomp_rule_add_array(ctx, ${verdict}, ${entry === undefined ? number : `seccomp_syscall_resolve_name("${name}")`}, ${args.length}, ${list})) return ${number + 2};`;
    }),
  );
  writeFileSync(
    at.join('witness.c'),
    `#include <stddef.h>\n#include <seccomp.h>\nint main(void) {\n  scmp_filter_ctx ctx = seccomp_init(${fallback});\n${entry === undefined ? '' : `  seccomp_arch_remove(ctx, SCMP_ARCH_X86_64), seccomp_arch_add(ctx, ${entry});\n`}${lines.join('\n')}\n  return seccomp_export_bpf(ctx, 1) ? 1 : 0;\n}\n`,
  );
  execFileSync('gcc', ['-w', '-o', at.join('witness'), at.join('witness.c'), '-lseccomp'], { stdio: 'pipe' });
  return execFileSync(at.join('witness'), { maxBuffer: 1 << 24 });
}

function needsLibseccomp(context: TestContext): void {
  if (process.arch !== 'x64') skip(context, 'the table of numbers is that of x86_64');
  if (spawnSync('gcc', ['-E', '-include', 'seccomp.h', '-x', 'c', '/dev/null'], { stdio: 'ignore' }).status !== 0)
    skip(context, 'gcc or libseccomp-dev is not installed');
}

/** Every call with every edge of every condition on it, and a few values beside. */
function disagreements(profile: SeccompProfile, a: Uint8Array, b: Uint8Array, { audit, numbers }: Entry = X64): string[] {
  const rules = applicableRules(profile, options);
  const found: string[] = [];
  // The calls of arm's own are far from all others.
  for (const number of [...Array(520).keys(), ...Array.from({ length: 8 }, (_, i) => 0xf0000 + i)]) {
    const name = [...numbers].find(([, each]) => each === number)?.[0] ?? '';
    const conditions = rules.filter(({ names }) => names.includes(name)).flatMap(({ args }) => args ?? []);
    const edges = new Set([0n, 1n, 1n << 32n, (1n << 64n) - 1n]);
    for (const { value, valueTwo = 0n } of conditions)
      for (const each of [value, value + 1n, value - 1n, valueTwo, valueTwo ^ value, value | (1n << 32n), value ^ (1n << 63n)])
        edges.add(BigInt.asUintN(64, each));
    const tries = [...edges].flatMap((edge) => [
      Array(6).fill(edge) as bigint[],
      ...(conditions.length > 1 ? [...Array(6).keys()].map((i) => Array(6).fill(0n).with(i, edge) as bigint[]) : []),
    ]);
    for (const args of tries) {
      const data = { number, architecture: audit, args: audit === X64.audit ? args : args.map((each) => each & 0xffffffffn) };
      const [ours, theirs] = [evaluate(a, data), evaluate(b, data)];
      if (ours !== theirs) found.push(`${name || number}(${args.join(', ')}): ${ours.toString(16)}, libseccomp ${theirs.toString(16)}`);
    }
  }
  return found.slice(0, 20);
}

test('our default profile does what libseccomp makes of it', async (context) => {
  needsLibseccomp(context);
  await using at = scratch();
  // libseccomp lets a rule without conditions replace those with some; what is left falls back all the same.
  const conditional = new Set(DEFAULT_PROFILE.syscalls?.flatMap(({ names, args }) => (args?.length ? names : [])));
  const profile = {
    ...DEFAULT_PROFILE,
    syscalls: DEFAULT_PROFILE.syscalls?.filter(({ names, args }) => args?.length || !names.some((name) => conditional.has(name))) ?? [],
  };
  expect(disagreements(profile, compileProfile(profile, options).filter, libseccomp(at, profile))).toEqual([]);
});

const PODMANS = '/usr/share/containers/seccomp.json';

test("podman's profile does what libseccomp makes of it, and allows what ours does", async (context) => {
  needsLibseccomp(context);
  if (!existsSync(PODMANS)) skip(context, `${PODMANS} is not installed`);
  await using at = scratch();
  const profile = parseProfile(readFileSync(PODMANS, 'utf8'), PODMANS);
  const theirs = compileProfile(profile, options);
  expect(disagreements(profile, theirs.filter, libseccomp(at, profile))).toEqual([]);
  // As tight: ours allows no call that podman's profile lists and refuses.
  const ours = compileProfile(DEFAULT_PROFILE, options);
  const allow = 0x7fff0000;
  const known = new Set(profile.syscalls?.flatMap(({ names }) => names));
  const looser = [...X64.numbers].filter(([name, number]) => {
    const data = { number, architecture: X64.audit, args: [0n] };
    return known.has(name) && evaluate(ours.filter, data) === allow && evaluate(theirs.filter, data) !== allow;
  });
  expect(looser.map(([name]) => name)).toEqual([]);
});

test.for(['x64', 'arm64'] as const)('32-bit calls are treated as libseccomp has it: %s', async (architecture, context) => {
  needsLibseccomp(context);
  const compat = ARCHITECTURES[architecture].compat ?? skip(context, 'there is no table of them');
  await using at = scratch();
  const rules = {
    defaultAction: 'SCMP_ACT_ERRNO' as const,
    architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_AARCH64', compat.name],
    syscalls: [
      // What one call of 32-bit programs multiplexes libseccomp takes apart in its own way.
      { names: ['read', 'write', 'mmap2', 'fcntl64', 'set_thread_area', 'set_tls', 'exit_group'], action: 'SCMP_ACT_ALLOW' as const },
      { names: ['personality'], action: 'SCMP_ACT_ALLOW' as const, args: [{ index: 0, value: 0xffffffffn, op: 'SCMP_CMP_EQ' as const }] },
      { names: ['clone'], action: 'SCMP_ACT_ALLOW' as const, args: [{ index: 0, value: 0x7e020000n, valueTwo: 0n, op: 'SCMP_CMP_MASKED_EQ' as const }] },
      { names: ['kill'], action: 'SCMP_ACT_LOG' as const, args: [{ index: 1, value: 9n, op: 'SCMP_CMP_GT' as const }] },
    ],
  };
  const { filter } = compileProfile(rules, { ...options, architecture, compat: true });
  expect(disagreements(rules, filter, libseccomp(at, rules, compat), compat)).toEqual([]);
  if (architecture === 'x64') expect(disagreements(rules, filter, libseccomp(at, rules))).toEqual([]);
  // Without `compat` the filter kills calls of the other architecture.
  const closed = compileProfile(rules, { ...options, architecture }).filter;
  expect(evaluate(closed, { number: 4, architecture: compat.audit })).toBe(0x80000000);
});

test('the numbers of 32-bit calls are those of libseccomp', async (context) => {
  needsLibseccomp(context);
  await using at = scratch();
  for (const { compat } of Object.values(ARCHITECTURES)) {
    if (!compat) continue;
    const lines = [...compat.numbers.keys()].map((name) => `  printf("%s %d\\n", "${name}", seccomp_syscall_resolve_name_arch(${compat.name}, "${name}"));`);
    writeFileSync(at.join('numbers.c'), `#include <stdio.h>\n#include <seccomp.h>\nint main(void) {\n${lines.join('\n')}\n  return 0;\n}\n`);
    execFileSync('gcc', ['-w', '-o', at.join('numbers'), at.join('numbers.c'), '-lseccomp'], { stdio: 'pipe' });
    const known = execFileSync(at.join('numbers'), { encoding: 'utf8' }).trim().split('\n');
    // Younger ones, and those that it takes apart, have negative numbers there.
    const compared = known.map((line) => line.split(' ')).filter(([, number]) => Number(number) >= 0);
    expect(compared.length).toBeGreaterThan(350);
    expect(compared.filter(([name = '', number]) => compat.numbers.get(name) !== Number(number))).toEqual([]);
  }
});

test('random profiles do what libseccomp makes of them', async (context) => {
  needsLibseccomp(context);
  const value = fc.oneof(fc.constantFrom(0n, 1n, 0xffffffffn, 1n << 32n, (1n << 64n) - 1n), fc.bigInt(0n, (1n << 64n) - 1n));
  const condition = fc.record({
    index: fc.nat(5),
    value,
    op: fc.constantFrom(
      'SCMP_CMP_NE' as const,
      'SCMP_CMP_LT' as const,
      'SCMP_CMP_LE' as const,
      'SCMP_CMP_EQ' as const,
      'SCMP_CMP_GE' as const,
      'SCMP_CMP_GT' as const,
    ),
  });
  // One rule for each call: what several mean together libseccomp decides in its own way.
  const rule = fc.record({
    action: fc.constantFrom('SCMP_ACT_ALLOW' as const, 'SCMP_ACT_LOG' as const, 'SCMP_ACT_KILL_PROCESS' as const),
    args: fc.uniqueArray(condition, { maxLength: 3, selector: ({ index }) => index }),
  });
  const names = [...X64.numbers.keys()];
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(fc.nat(names.length - 1), { minLength: 1, maxLength: 60 }),
      fc.array(rule, { minLength: 60, maxLength: 60 }),
      async (indexes, rules) => {
        await using at = scratch();
        const syscalls = indexes.map((index, i) => ({ names: [names[index] as string], ...(rules[i] as { action: Action; args: [] }) }));
        const profile: SeccompProfile = { defaultAction: 'SCMP_ACT_ERRNO', syscalls };
        expect(disagreements(profile, compileProfile(profile, options).filter, libseccomp(at, profile))).toEqual([]);
      },
    ),
    { numRuns: 8, seed: Number(process.env.LAMELLA_SEED ?? 20261124) },
  );
});
