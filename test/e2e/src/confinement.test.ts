import { chmodSync, existsSync, mkdtempSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { busyboxArchive, cgroupsOf, type ScratchDirectory, scratch, skip } from '@lamella-test/scratch';
import { afterAll, beforeAll, beforeEach, describe, expect, type TestContext, test } from 'vitest';
import { cli } from './cli.js';
import { isRoot, requiresContainers, requiresOtherIds } from './rights.js';

let at: ScratchDirectory;
let lamella: ReturnType<typeof cli>;
beforeAll(() => {
  at = scratch();
  lamella = cli(at.join('store'));
  expect(lamella(['import', busyboxArchive(), 'busybox'])).toMatchObject({ status: 0 });
  writeFileSync(
    at.join('profile.json'),
    JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 95 }] }),
  );
  writeFileSync(at.join('bad.json'), '{"defaultAction":"DENY"}');
});
afterAll(() => at[Symbol.asyncDispose]());
beforeEach((context) => requiresContainers(context));

const status = (...flags: string[]): string =>
  lamella(['run', ...flags, 'busybox', 'grep', '-E', '^(Cap(Eff|Amb|Bnd)|NoNewPrivs|Seccomp):', '/proc/self/status']).stdout;

test('capabilities are added and dropped', () => {
  expect(status('--cap-drop', 'ALL')).toMatch(/CapEff:\t0{16}\nCapBnd:\t0{16}/);
  expect(status('--cap-drop', 'ALL', '--cap-add', 'cap_kill')).toMatch(/CapEff:\t0{14}20\n/);
});

test('capabilities of another user are those that were added', (context) => {
  requiresOtherIds(context);
  expect(status('-u', '1000')).toMatch(/CapEff:\t0{16}\n.*CapAmb:\t0{16}/s);
  expect(status('-u', '1000', '--cap-add', 'NET_ADMIN')).toMatch(/CapEff:\t0{12}1000\n.*CapAmb:\t0{12}1000/s);
  expect(lamella(['run', '-u', '1000', '--cap-add', 'NET_ADMIN', 'busybox', 'ip', 'link', 'set', 'lo', 'down']).status).toBe(0);
});

test('without a filter, with new privileges, with everything', () => {
  expect(status()).toMatch(/NoNewPrivs:\t1\nSeccomp:\t2/);
  expect(status('--security-opt', 'seccomp=unconfined')).toMatch(/NoNewPrivs:\t1\nSeccomp:\t0/);
  expect(status('--security-opt', 'no-new-privileges=false')).toMatch(/NoNewPrivs:\t0\nSeccomp:\t2/);
  // What is closed to this user in the host's /dev is passed over.
  const closed = mkdtempSync('/dev/shm/lamella-test-');
  chmodSync(closed, 0);
  expect(status('--privileged')).toMatch(/NoNewPrivs:\t0\nSeccomp:\t0/);
  rmdirSync(closed);
  expect(lamella(['run', '--privileged', 'busybox', 'sh', '-c', 'mount -t tmpfs x /tmp && ls /dev | wc -l'])).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(/^\d+\n$/),
  });
});

test("a profile of one's own decides", () => {
  const outcome = lamella(['run', '--security-opt', `seccomp=${at.join('profile.json')}`, 'busybox', 'mkdir', '/x']);
  expect(outcome).toMatchObject({ status: 1, stderr: expect.stringMatching(/not supported/i) });
});

test('devices, sizes and limits of resources are as asked', () => {
  expect(lamella(['run', '--device', '/dev/null:/dev/a/b', 'busybox', 'sh', '-c', 'ls -l /dev/a/b | cut -c1-10; echo x >/dev/a/b']).stdout).toBe(
    'crw-rw-rw-\n',
  );
  expect(lamella(['run', '--shm-size', '1m', 'busybox', 'sh', '-c', 'df -k /dev/shm | tail -1']).stdout).toMatch(/ 1024 /);
  expect(lamella(['run', '--ulimit', 'nofile=64:128', '--ulimit', 'core=0', 'busybox', 'sh', '-c', 'ulimit -n; ulimit -Hn; ulimit -c']).stdout).toBe(
    '64\n128\n0\n',
  );
  expect(lamella(['run', '--oom-score-adj', '700', 'busybox', 'cat', '/proc/self/oom_score_adj']).stdout).toBe('700\n');
});

test('/proc hides the processes of others, if asked', (context) => {
  requiresOtherIds(context);
  expect(
    lamella([
      'run',
      '-u',
      '1000',
      '--init',
      '--security-opt',
      'proc-opts=hidepid=2',
      'busybox',
      'sh',
      '-c',
      'grep -c hidepid=invisible /proc/mounts || grep -c hidepid=2 /proc/mounts',
    ]).stdout,
  ).toMatch(/^[1-9]\n$/);
});

test.for<[args: string[], message: RegExp]>([
  [['--cap-add', 'nonsense'], /no capability 'NONSENSE'\n {2}.*capabilities\(7\)/],
  [['--security-opt', 'apparmor=x'], /invalid security option 'apparmor=x'\n {2}Use seccomp/],
  [['--security-opt', 'seccomp=/no/such'], /cannot read the seccomp profile \/no\/such: ENOENT/],
  [['--security-opt', 'seccomp=BAD'], /bad\.json is not valid: defaultAction/],
  [['--security-opt', 'no-new-privileges=maybe'], /invalid value 'maybe' for no-new-privileges/],
  [['--device', '/dev/no-such'], /\/dev\/no-such cannot be used: ENOENT/],
  [['--device', '/etc/passwd:/dev/x'], /not a device\n {2}.*volumes/],
  [['--device', '/dev/null:r'], /permissions 'r' .* are not supported/],
  [['--ulimit', 'nofile'], /invalid ulimit 'nofile'/],
  [['--ulimit', 'nofile=9:3'], /exceeds the hard limit/],
  [['--ulimit', 'nothing=3'], /unknown resource limit 'nothing'\n {2}Known are/],
  [['--shm-size', 'much'], /invalid size 'much'/],
  [['--oom-score-adj', '1001'], /invalid value '1001' for --oom-score-adj/],
  [['-m', '1k'], /memory limit of 1024 bytes is too low/],
  [['-m', 'much'], /invalid size 'much'/],
  [['--memory-swap', '1g'], /needs a limit on memory/],
  [['-m', '1g', '--memory-swap', '1m'], /lower than the limit on memory/],
  // As with Docker, 0 means unlimited. For processes any negative number does, too.
  [['--cpus', '-1'], /not a valid number of processors/],
  [['--cpus', 'two'], /invalid value 'two' for --cpus/],
  [['--cpu-shares', '1'], /not a valid number of CPU shares/],
  [['--cpuset-cpus', 'all'], /'all' is not a list of processors/],
  [['--pids-limit', 'few'], /invalid value 'few' for --pids-limit/],
  [['--blkio-weight', '5000'], /not a valid block I\/O weight/],
])('%j is refused, and it is said what to write', ([args, message]) => {
  const outcome = lamella(['run', ...args.map((each) => each.replace('BAD', at.join('bad.json'))), 'busybox', 'true']);
  expect(outcome).toMatchObject({ status: 125, stdout: '', stderr: expect.stringMatching(message) });
});

/** Where cgroups of version 1 or 2 are mounted, and this process may make some. */
function requiresCgroups(context: TestContext): void {
  if (!existsSync('/sys/fs/cgroup/cgroup.controllers') && !existsSync('/sys/fs/cgroup/pids/cgroup.procs')) skip(context, 'no cgroups are mounted');
  // What systemd delegates is tried on the second kernel.
  if (!isRoot()) skip(context, 'no cgroup is delegated to this user');
}
const groups = (): string[] => cgroupsOf(at.join('store'));

describe('limits', () => {
  test('hold, are told of, and leave no cgroup', (context) => {
    requiresCgroups(context);
    const limited = lamella([
      'run',
      '--pids-limit',
      '5',
      '-m',
      '64m',
      '--cpus',
      '0.5',
      '--cpu-shares',
      '512',
      'busybox',
      'sh',
      '-c',
      'for i in 1 2 3 4 5 6 7 8; do sleep 1 & done; wait',
    ]);
    expect(limited.stderr).toContain("can't fork");
    const killed = JSON.parse(lamella(['run', '-m', '16m', '--json', 'busybox', 'sh', '-c', 'exec tail /dev/zero']).stdout);
    expect(killed).toMatchObject({ oomKilled: true, signal: 'SIGKILL' });
    expect(JSON.parse(lamella(['run', '-m', '16m', '--json', 'busybox', 'true']).stdout)).toMatchObject({ oomKilled: false, exitCode: 0 });
    expect(groups()).toEqual([]);
  });

  test('a container inside of them shows itself as the root of its cgroup', (context) => {
    requiresCgroups(context);
    const { status: exit, stdout } = lamella(['run', '--pids-limit', '50', 'busybox', 'cat', '/proc/self/cgroup']);
    expect([exit, stdout]).toEqual([0, expect.stringMatching(/^(?:\d+:.*:\/\n)*0::\/\n$|^(?:\d+:.*pids.*:\/\n)/m)]);
    expect(stdout).not.toMatch(/lamella/);
  });

  test('one that is refused leaves nothing', (context) => {
    requiresCgroups(context);
    expect(lamella(['run', '--cpuset-cpus', '9999', 'busybox', 'true'])).toMatchObject({
      status: 125,
      stderr: expect.stringMatching(/limit cpuset\.cpus cannot be set to 9999|controller 'cpuset'/),
    });
    expect(groups()).toEqual([]);
    expect(readFileSync('/proc/self/mounts', 'utf8')).not.toContain(at.path);
  });
});
