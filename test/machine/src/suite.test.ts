import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { requiresProgram, type ScratchDirectory, scratch, skip } from '@lamella-test/scratch';
import { afterAll, beforeAll, expect, type TestContext, test } from 'vitest';
import { type MachineRun, onMachine, whyNoMachine } from './machine.js';

/** The second kernel is booted once, and runs suite.ts as root and as an ordinary user. */
const reason = whyNoMachine();
const SUITE = path.join(import.meta.dirname, '../dist/suite.js');
const SELINUX = path.join(import.meta.dirname, '../dist/selinux.js');
const USER_SYSTEMD = path.join(import.meta.dirname, '../dist/user-systemd.js');
const DELEGATED = path.join(import.meta.dirname, '../dist/delegated.js');
let at: ScratchDirectory;
let machine: MachineRun;

beforeAll(async () => {
  at = scratch();
  if (reason) return;
  const suites = [`${SUITE} root`, `${SUITE} user`, `${DELEGATED} scope`, `${DELEGATED} slice/service`, USER_SYSTEMD];
  machine = await onMachine(at, suites.map((each) => `node ${each}`).join(' && '), { timeout: 380_000 });
}, 400_000);
afterAll(() => at[Symbol.asyncDispose]());

interface Check {
  readonly who: string;
  readonly name: string;
  readonly failure?: string;
  readonly skipped?: string;
}

test('the machine boots, and its suites run to their end', (context) => {
  if (reason) skip(context, reason);
  expect(machine).toMatchObject({ status: 0, output: expect.stringContaining('{') });
});

test('what holds here holds on Linux 6.1 with cgroups of version 2, for root and an ordinary user', (context) => {
  if (reason) skip(context, reason);
  const checks = machine.output
    .split('\n')
    .filter((line) => line.startsWith('{"who"'))
    .map((line) => JSON.parse(line) as Check);
  for (const { who, name, failure, skipped } of checks)
    process.stderr.write(
      `second kernel, ${who}: ${failure ? 'FAILED ' : skipped ? 'skipped: ' : ''}${name}${(failure ?? skipped) ? `: ${failure ?? skipped}` : ''}\n`,
    );
  expect(checks.filter(({ failure }) => failure)).toEqual([]);
  expect(checks.map(({ who }) => who)).toEqual(expect.arrayContaining(['root', 'user', 'delegated', 'user systemd']));
  expect(checks.length).toBeGreaterThan(15);
});

test('SELinux gives a bundle the label that it asks for, and its mounts', async (context) => {
  if (reason) skip(context, reason);
  const policy = compiledPolicy(context);
  const { output } = await onMachine(at, `mount -t selinuxfs selinuxfs /sys/fs/selinux && node ${SELINUX} ${policy}`, { timeout: 100_000, module: 'selinux' });
  expect(output.split('\n').filter(Boolean)).toEqual([
    'asked: unlabeled',
    'not asked: kernel',
    'entered: unlabeled',
    'entered with another: security',
    'left: 0',
    'mounts labelled: system_u:system_r:everything_t:s0',
    '/dev/shm',
    expect.stringMatching(/^a label that the policy has not: .*mount/),
    'left: 0',
  ]);
});

/** The path of a policy that names labels of files, in a form that Linux 6.1 reads. */
function compiledPolicy(context: TestContext): string {
  const secilc = requiresProgram(context, 'secilc');
  const policy = at.join('policy');
  execFileSync(secilc, ['-o', policy, '-f', '/dev/null', '-c', '33', path.join(import.meta.dirname, 'labels.cil')]);
  return policy;
}
