import { spawnSync } from 'node:child_process';
import { chmodSync, closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { AT_FDCWD, CLONE, O, type Op, PR, type Program, run } from '@lamella/syscall';
import { busyboxArchive, findProgram, requiresProgram, requiresRoot, scratch, scratchOnOverlay, skip } from '@lamella-test/scratch';
import { afterAll, beforeAll, expect, type TestContext, test } from 'vitest';
import { CLI } from './cli.js';

/** What doctor says of one thing. */
interface Finding {
  readonly subject: string;
  readonly state: 'ok' | 'missing' | 'broken';
  readonly detail: string;
  readonly consequence?: string;
  readonly remedy?: string;
}

const at = scratch();
beforeAll(() => chmodSync(at.path, 0o755));
afterAll(() => at[Symbol.asyncDispose]());

/**
 * What doctor says of something, on a machine that lacks it.
 *
 * @param lacking lines of a shell, in a new mount namespace; `$0` is an empty directory, `hide` makes a program disappear
 * @param root the store; default: in that directory
 */
function found(subject: string, lacking: string, { root = at.join('store'), unshare = [] as readonly string[], as = [] as readonly string[] } = {}): Finding {
  const hide = 'hide() { mount --bind /dev/null "$(command -v "$1")"; };';
  const command = [...as, process.execPath, CLI, 'doctor', '--json', '--root', root];
  const { stdout, stderr } = spawnSync('unshare', ['-m', ...unshare, 'sh', '-ec', `${hide} ${lacking}\nexec "$@"`, at.path, ...command], { encoding: 'utf8' });
  return of(subject, stdout, stderr);
}

/** The op that becomes doctor. */
function doctor(root: string, as: readonly string[] = []): Op {
  const argv = [...as, process.execPath, CLI, 'doctor', '--json', '--root', root];
  return { op: 'execve', pathname: as.length ? (findProgram(as[0] ?? '') ?? '') : process.execPath, argv, envp: [`PATH=${process.env.PATH}`] };
}

/** What the process writes that a program becomes. */
async function said(program: Program): Promise<string> {
  const file = at.join('output');
  const output = openSync(file, 'w');
  // Its status is not that of a program. The test checks the output.
  await run(program, { stdio: ['ignore', output, 'inherit'] }).catch(() => undefined);
  closeSync(output);
  return readFileSync(file, 'utf8');
}

function of(subject: string, stdout: string, stderr = ''): Finding {
  expect(stdout, stderr).toMatch(/^\[/);
  const finding = (JSON.parse(stdout) as Finding[]).find((each) => each.subject === subject);
  if (!finding) throw new Error(`doctor says nothing of ${subject}`);
  return finding;
}

/** What is not there has its consequence and its remedy. */
function lacks(finding: Finding, state: 'missing' | 'broken', detail: RegExp, remedy: RegExp): void {
  expect(finding).toMatchObject({
    state,
    detail: expect.stringMatching(detail),
    consequence: expect.stringMatching(/\w{4}/),
    remedy: expect.stringMatching(remedy),
  });
}

function requires(context: TestContext, ...programs: readonly string[]): void {
  requiresRoot(context);
  for (const program of ['unshare', ...programs]) requiresProgram(context, program);
}

/** seccomp(2) fails with EPERM, all else is as it was: linux/filter.h and seccomp.h; the call's number is the machine's. */
const WITHOUT_SECCOMP = bpf([
  [0x20, 0, 0, 0],
  [0x15, 0, 1, process.arch === 'arm64' ? 277 : 317],
  [0x06, 0, 0, 0x00050001],
  [0x06, 0, 0, 0x7fff0000],
]);

function bpf(instructions: readonly (readonly [code: number, jt: number, jf: number, k: number])[]): Buffer {
  return Buffer.concat(
    instructions.map(([code, jt, jf, k]) => {
      const each = Buffer.alloc(8);
      each.writeUInt16LE(code, 0);
      each.set([jt, jf], 2);
      each.writeUInt32LE(k, 4);
      return each;
    }),
  );
}

// cli.test.ts tests a machine that lacks nothing, the interpreter and the store; sub-ids.test.ts tests the ids.

test('a kind of namespaces that may not be made', (context) => {
  requires(context);
  const finding = found('namespaces', 'echo 0 > /proc/sys/user/max_net_namespaces', { unshare: ['-U', '-r'] });
  lacks(finding, 'broken', /^refused: net\b/, /root/);
});

test('user namespaces that an ordinary user may not make, and which switch it is', async (context) => {
  requires(context, 'setpriv');
  mkdirSync(at.join('others'));
  chmodSync(at.join('others'), 0o777);
  const stdout = await said([
    { op: 'userns', uid_map: '0 0 70000\n', gid_map: '0 0 70000\n', out: 5 },
    { op: 'setns', fd: 5, nstype: CLONE.NEWUSER },
    // The limit of this namespace, and of those below.
    { op: 'write_file', dirfd: AT_FDCWD, pathname: '/proc/sys/user/max_user_namespaces', flags: O.WRONLY, mode: 0, data: '0' },
    doctor(at.join('others/store'), ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups']),
  ]);
  lacks(of('namespaces', stdout), 'broken', /an ordinary user may not make user namespaces/, /^sysctl user\.max_user_namespaces=15000\.$/);
});

test('a filesystem that overlayfs can have no upper on, without and with fuse-overlayfs', async (context) => {
  requires(context, 'fuse-overlayfs');
  await using place = await scratchOnOverlay(context);
  const root = place.join('store');
  lacks(found('overlay', 'hide fuse-overlayfs', { root }), 'broken', /an overlay cannot be mounted/, /--root on ext4.*fuse-overlayfs/);
  lacks(found('fuse', 'hide fuse-overlayfs', { root }), 'missing', /not in the PATH/, /apt-get install fuse-overlayfs/);
  expect(found('overlay', '', { root })).toMatchObject({ state: 'ok', detail: 'no upper can be on overlayfs: by fuse-overlayfs' });
  expect(found('mapped ids', '', { root })).toMatchObject({ state: 'ok', detail: 'run --userns auto, by fuse-overlayfs' });
});

test('a fuse-overlayfs that cannot be executed, as a run says it', async (context) => {
  requires(context);
  await using place = await scratchOnOverlay(context);
  mkdirSync(place.join('bin'));
  writeFileSync(place.join('bin/fuse-overlayfs'), '#!/no/such/interpreter\n', { mode: 0o755 });
  const env = { ...process.env, PATH: `${place.join('bin')}:${process.env.PATH}`, LAMELLA_ROOT: place.join('store') };
  const lamella = (...args: string[]): { status: number | null; stderr: string } => spawnSync(process.execPath, [CLI, ...args], { env, encoding: 'utf8' });
  expect(lamella('import', busyboxArchive(), 'busybox').status).toBe(0);
  expect(lamella('run', 'busybox', 'true')).toMatchObject({
    status: 125,
    stderr: expect.stringMatching(/fuse-overlayfs, which is to join the layers, cannot be executed: ENOENT/),
  });
});

test('a device of fuse that is none', (context) => {
  requires(context, 'fuse-overlayfs');
  if (!existsSync('/dev/fuse')) skip(context, 'there is no /dev/fuse');
  lacks(found('fuse', 'mount --bind /dev/null /dev/fuse'), 'missing', /^fsconfig\(.*EINVAL/, /by hand/);
  lacks(found('fuse', 'mount -t tmpfs tmpfs /dev && mknod -m 666 /dev/null c 1 3'), 'missing', /\/dev\/fuse cannot be opened: ENOENT/, /modprobe fuse/);
});

test('a filesystem that is seen with the ids that it has only', (context) => {
  requires(context);
  const ramfs = 'mkdir "$0/ramfs"; mount -t ramfs ramfs "$0/ramfs";';
  const hidden = findProgram('fuse-overlayfs') ? 'hide fuse-overlayfs' : '';
  lacks(
    found('mapped ids', `${ramfs} ${hidden}`, { root: at.join('ramfs') }),
    'missing',
    /fuse-overlayfs is not in the PATH/,
    /apt-get install fuse-overlayfs/,
  );
});

test('filters that may not be set', async (context) => {
  requires(context);
  const stdout = await said([
    { op: 'prctl', option: PR.SET_NO_NEW_PRIVS, arg2: 1, arg3: 0, arg4: 0, arg5: 0 },
    { op: 'seccomp', operation: 1, flags: 0, filter: WITHOUT_SECCOMP },
    doctor(at.join('store')),
  ]);
  lacks(of('seccomp', stdout), 'missing', /seccomp/, /CONFIG_SECCOMP_FILTER/);
});

test('cgroups that are nowhere', (context) => {
  requires(context);
  lacks(found('cgroup', 'mount -t tmpfs tmpfs /sys/fs/cgroup'), 'missing', /cgroup/, /./);
});

test('pasta, and its device', (context) => {
  requires(context, 'pasta');
  lacks(found('pasta', 'hide pasta'), 'missing', /not in the PATH/, /apt-get install passt/);
  if (existsSync('/dev/net/tun')) lacks(found('pasta', 'mount --bind /dev/null /dev/net/tun'), 'missing', /ends before it is ready/, /modprobe tun/);
});

test('xz', (context) => {
  requires(context, 'xz');
  lacks(found('xz', 'hide xz'), 'missing', /not in the PATH/, /apt-get install xz-utils/);
});
