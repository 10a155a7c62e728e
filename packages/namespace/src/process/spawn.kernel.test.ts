import { spawn as spawnProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { type Program, run } from '@lamella/syscall';
import { busyboxArchive, mountsBelow, requiresRoot, type ScratchDirectory, scratch, until } from '@lamella-test/scratch';
import { extract } from 'tar';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { CommandError, DEFAULT_MOUNTS, launch, type ProcessOptions, type ProcessResult, type ProcessSpec, spawn } from '../index.js';

let at: ScratchDirectory;
let rootfs: string;
beforeAll(async () => {
  at = scratch();
  rootfs = at.join('rootfs');
  mkdirSync(rootfs);
  await extract({ file: busyboxArchive(), cwd: rootfs });
});
afterAll(() => at[Symbol.asyncDispose]());
beforeEach((context) => requiresRoot(context));

type Rest = Partial<Omit<ProcessSpec, 'args' | 'rootfs'>>;

function sh(script: string, rest: Rest = {}, options: ProcessOptions = {}): Promise<ProcessResult> {
  return spawn({ rootfs, args: ['/bin/sh', '-c', script], ...rest }, options).result;
}
const lines = async (script: string, rest: Rest = {}): Promise<string[]> => String((await sh(script, rest)).stdout).split('\n');

test.for([
  ['another op', { op: 'chdir', path: 'closed', ignore: ['EACCES'] }, 'COMMAND_NOT_FOUND'],
  ['a place of the PATH', { op: 'execve', pathname: 'closed/nosuch', argv: ['nosuch'], envp: [], ignore: ['EACCES'] }, 'COMMAND_NOT_EXECUTABLE'],
] as const)('EACCES of %s is taken for what it is', async ([, op, code]) => {
  mkdirSync(at.join('open/closed'), { recursive: true });
  chmodSync(at.join('open/closed'), 0o700);
  const program: Program = [
    { op: 'chdir', path: at.join('open') },
    { op: 'setresuid', ruid: 65534, euid: 65534, suid: 65534 },
    op,
    { op: 'execve', pathname: '/none/nosuch', argv: ['nosuch'], envp: [] },
  ];
  const { result } = launch([{ op: 'clone', flags: 0, monitor: 0, cgroup: -1, program }], ['nosuch']);
  await expect(result).rejects.toMatchObject({ code });
});

test('a result has the shape of execa', async () => {
  const result = await sh('echo out; echo err >&2; exit 7');
  expect({ ...result, message: result.message }).toEqual({
    command: '/bin/sh -c echo out; echo err >&2; exit 7',
    escapedCommand: "/bin/sh -c 'echo out; echo err >&2; exit 7'",
    exitCode: 7,
    signal: undefined,
    signalDescription: undefined,
    stdout: 'out',
    stderr: 'err',
    all: undefined,
    stdio: [undefined, 'out', 'err'],
    durationMs: expect.any(Number),
    failed: true,
    timedOut: false,
    isCanceled: false,
    isTerminated: false,
    isMaxBuffer: false,
    isForcefullyTerminated: false,
    releaseFailures: [],
    name: 'CommandError',
    code: 'COMMAND_FAILED',
    message: "Command failed with exit code 7: /bin/sh -c 'echo out; echo err >&2; exit 7'\n\nerr\n\nout",
    shortMessage: "Command failed with exit code 7: /bin/sh -c 'echo out; echo err >&2; exit 7'",
  });
  expect(result).toBeInstanceOf(CommandError);
  expect(await sh('kill -9 $$', { init: true })).toMatchObject({ exitCode: 137, failed: true });
});

describe('namespaces', () => {
  test('the process is pid 1 on a host of its own, with only what is its own in sight', async () => {
    expect(
      await lines(
        'echo $$; hostname; ls /proc | grep -c "^[0-9]"; ls /sys/class/net; ipcs -q 2>/dev/null | wc -l >/dev/null; ping -c1 -W1 127.0.0.1 >/dev/null && echo loopback',
        { hostname: 'inside' },
      ),
    ).toEqual(['1', 'inside', expect.stringMatching(/^[1-4]$/), 'lo', 'loopback']);
  });

  test.for(['pid', 'uts', 'ipc', 'net', 'cgroup', 'time', 'mnt'] as const)("%s is new, or the caller's where it was not asked for", async (kind) => {
    const all = { pid: true, uts: true, ipc: true, net: true, cgroup: true, time: true };
    const own = (await lines(`readlink /proc/self/ns/${kind}`, { namespaces: all }))[0];
    const host = readlinkSync(`/proc/self/ns/${kind}`);
    expect(own).not.toBe(host);
    if (kind === 'mnt') return;
    const shared = (await lines(`readlink /proc/self/ns/${kind}`, { namespaces: { ...all, [kind]: false } }))[0];
    expect(shared).toBe(host);
  });

  test('nothing that is mounted inside is seen outside', async () => {
    await sh('mount -t tmpfs x /tmp; grep -c . /proc/mounts', { capabilities: ['SYS_ADMIN'] });
    expect(mountsBelow(at.path)).toEqual([]);
  });
});

describe('the filesystem', () => {
  test('has /proc, a read-only /sys, and a /dev with the standard nodes', async () => {
    const [types, devices] = [
      await lines("awk '{ print $2, $3, substr($4, 1, 2) }' /proc/mounts"),
      await lines(
        'ls /dev; for n in null zero full random urandom tty; do stat -c "%n %t:%T %a" /dev/$n; done; for l in fd stdin ptmx; do readlink /dev/$l; done',
      ),
    ];
    expect(types).toEqual(
      expect.arrayContaining([
        '/proc proc rw',
        '/sys sysfs ro',
        '/dev tmpfs rw',
        '/dev/pts devpts rw',
        '/dev/mqueue mqueue rw',
        '/dev/shm tmpfs rw',
        '/proc/sys proc ro',
      ]),
    );
    expect(devices).toEqual([
      ...['core', 'fd', 'full', 'mqueue', 'null', 'ptmx', 'pts', 'random', 'shm', 'stderr', 'stdin', 'stdout', 'tty', 'urandom', 'zero'],
      ...['/dev/null 1:3 666', '/dev/zero 1:5 666', '/dev/full 1:7 666', '/dev/random 1:8 666', '/dev/urandom 1:9 666', '/dev/tty 5:0 666'],
      ...['/proc/self/fd', '/proc/self/fd/0', 'pts/ptmx'],
    ]);
  });

  test('hides what tells of the host, and does not let it be steered', async () => {
    const out = await lines(
      'cat /proc/timer_list | wc -c; cat /proc/keys | wc -c; ls /sys/firmware | wc -l; echo 1 2>&1 > /proc/sys/kernel/panic || echo refused; echo x 2>&1 > /sys/kernel/uevent_seqnum || echo refused',
    );
    expect(out.filter((line) => !line.includes('sh:'))).toEqual(['0', '0', '0', 'refused', 'refused']);
  });

  test('hides it without a /dev, too, and wherever /proc and /sys are', async () => {
    const mounts = [
      { type: 'proc', destination: '/hidden/proc' },
      { type: 'sysfs', destination: '/hidden/sys' },
    ] as const;
    const script = `cd /hidden; cat proc/timer_list | wc -c; ls proc/acpi 2>/dev/null | wc -l; ls sys/firmware | wc -l
      (: >>proc/sys/kernel/panic) 2>/dev/null || echo refused; grep -c " /hidden/proc/sys ro" proc/self/mountinfo`;
    expect(await lines(script, { mounts })).toEqual(['0', '0', '0', 'refused', '1']);
    await run([{ op: 'rmtree', dirfd: -100, pathname: path.join(rootfs, 'hidden') }]);
  });

  test('hides files that are masked anyway, or read-only, when asked to', async () => {
    const hidden = ['/proc/timer_list', '/proc/keys', '/proc/version', '/proc/sys/kernel/panic'];
    const mounts = [...DEFAULT_MOUNTS, ...hidden.map((destination) => ({ type: 'file', destination, content: '' }) as const)];
    const out = await lines(`for f in ${hidden.join(' ')}; do wc -c <$f; (: >>$f) 2>&- || echo refused; done`, { mounts });
    expect(out).toEqual(hidden.flatMap(() => ['0', 'refused']));
  });

  test('hides it behind a null device of its own, whatever is at /dev/null', async () => {
    writeFileSync(at.join('instead'), 'of the host');
    const mounts = [...DEFAULT_MOUNTS, { type: 'bind', source: at.join('instead'), destination: '/dev/null', directory: false, readonly: true }] as const;
    expect(await lines('head -c 1 /proc/timer_list | wc -c; cat /dev/null; ls -A /dev | grep masked; stat -c "%t:%T" /proc/keys', { mounts })).toEqual([
      '0',
      'of the host1:3',
    ]);
  });

  test.for([
    ['a link to /proc', 'proc', { type: 'bind', source: '/etc', destination: '/way', directory: true }],
    ['a link below /proc', '/proc/sys', { type: 'tmpfs', destination: '/way/kernel' }],
    ['a link to the root', '/', { type: 'bind', source: '/etc', destination: '/way', directory: true }],
    ['a link to /dev for a file', '/dev', { type: 'file', destination: '/way/null', content: '' }],
    ['a directory of the root that is a link', '/sys', { type: 'own', destination: '/way/fs' }],
  ] as const)('mounts nothing through %s', async ([, target, mount]) => {
    symlinkSync(target, path.join(rootfs, 'way'));
    try {
      await expect(sh('true', { mounts: [...DEFAULT_MOUNTS, mount] })).rejects.toMatchObject({
        code: expect.stringMatching(/^MOUNT_(?:REFUSED|TARGET_INVALID)$/),
      });
    } finally {
      unlinkSync(path.join(rootfs, 'way'));
    }
    expect(mountsBelow(at.path)).toEqual([]);
  });

  test('binds directories and files of the host, read-only where asked, and makes what is missing', async () => {
    mkdirSync(at.join('shared/deep'), { recursive: true });
    writeFileSync(at.join('shared/file'), 'from outside');
    const mounts = [
      { type: 'proc', destination: '/proc' },
      { type: 'bind', source: at.join('shared'), destination: '/mnt/new/place', directory: true },
      { type: 'bind', source: at.join('shared'), destination: '/ro', directory: true, readonly: true },
      { type: 'bind', source: at.join('shared/file'), destination: '/etc/one-file', directory: false, readonly: true },
      { type: 'bind', source: at.join('not-there'), destination: '/optional', directory: true, optional: true },
      { type: 'tmpfs', destination: '/scratch', size: '1m', mode: '700' },
    ] as const;
    const out = await lines(
      'cat /mnt/new/place/file; echo; echo written > /mnt/new/place/deep/new; touch /ro/x 2>&1; cat /etc/one-file; echo; stat -c %a /scratch; df -k /scratch | tail -1 | awk "{print \\$2}"',
      { mounts },
    );
    expect(out).toEqual(['from outside', 'touch: /ro/x: Read-only file system', 'from outside', '700', '1024']);
    expect(readFileSync(at.join('shared/deep/new'), 'utf8')).toBe('written\n');
    expect(mountsBelow(at.path)).toEqual([]);
    await run(['mnt/new', 'ro', 'scratch'].map((name) => ({ op: 'rmtree', dirfd: -100, pathname: path.join(rootfs, name) })));
  });

  test('an optional bind makes no destination: not where it has a source, and not where it has none', async () => {
    writeFileSync(at.join('file'), 'from outside');
    const optional = { type: 'bind', optional: true } as const;
    const mounts = [
      { ...optional, source: at.path, destination: '/absent/directory', directory: true },
      { ...optional, source: at.join('file'), destination: '/absent/file', directory: false },
      { ...optional, source: at.join('not-there'), destination: '/absent', directory: true },
      { ...optional, source: at.join('file'), destination: '/etc/passwd', directory: false },
    ] as const;
    expect(await lines('ls -d /absent 2>&1; cat /etc/passwd', { mounts })).toEqual(['ls: /absent: No such file or directory', 'from outside']);
    expect(existsSync(path.join(rootfs, 'absent'))).toBe(false);
  });

  test('a bind source that is missing, and a target of the wrong kind, are said', async () => {
    const bind = (source: string, destination: string, directory: boolean): Rest => ({ mounts: [{ type: 'bind', source, destination, directory }] });
    await expect(sh('true', bind('/no/such', '/x', true))).rejects.toMatchObject({ code: 'BIND_SOURCE_MISSING' });
    await expect(sh('true', bind('/etc', '/bin/busybox', true))).rejects.toMatchObject({ code: 'MOUNT_TARGET_INVALID' });
  });

  test('is read-only when asked', async () => {
    expect(await lines('touch /new 2>&1; echo ok > /dev/shm/x && cat /dev/shm/x', { readonlyRoot: true })).toEqual([
      'touch: /new: Read-only file system',
      'ok',
    ]);
    expect(existsSync(path.join(rootfs, 'new'))).toBe(false);
  });
});

describe('the process', () => {
  test('has its environment, directory, user, groups, umask and limits', async () => {
    const out = await lines('env | sort; pwd; id; umask; ulimit -n; ulimit -Hn', {
      env: { A: '1', B: 'two words' },
      cwd: '/made/deep',
      user: { uid: 1234, gid: 5678, groups: [10, 20] },
      umask: 0o77,
      rlimits: [{ name: 'nofile', soft: 100, hard: 200 }],
    });
    expect(out.filter((line) => !/^(PATH|PWD|SHLVL|OLDPWD)=/.test(line))).toEqual([
      'A=1',
      'B=two words',
      '/made/deep',
      'uid=1234 gid=5678 groups=10,20,5678',
      '0077',
      '100',
      '200',
    ]);
    await run([{ op: 'rmtree', dirfd: -100, pathname: path.join(rootfs, 'made') }]);
  });

  test('has few capabilities as root, none as anybody else, and gains none', async () => {
    const status = 'grep -E "Cap(Prm|Eff|Bnd|Amb)|NoNew" /proc/self/status | tr -d "\\t"';
    expect(await lines(status)).toEqual([
      'CapPrm:00000000a00425fb',
      'CapEff:00000000a00425fb',
      'CapBnd:00000000a00425fb',
      'CapAmb:0000000000000000',
      'NoNewPrivs:1',
    ]);
    expect((await lines(status, { user: { uid: 1000, gid: 1000 } })).slice(0, 2)).toEqual(['CapPrm:0000000000000000', 'CapEff:0000000000000000']);
    expect((await lines(status, { capabilities: [], noNewPrivileges: false }))[4]).toBe('NoNewPrivs:0');
  });

  test('inherits no descriptor, and no signal is blocked', async () => {
    expect(await lines('ls /proc/self/fd | wc -l; grep SigBlk /proc/self/status | tr -d "\\t"')).toEqual(['4', 'SigBlk:0000000000000000']);
  });

  test("is killed, and all of its children, when the program's own process is", async () => {
    const script = `import { spawn } from ${JSON.stringify(path.join(import.meta.dirname, '../../dist/index.js'))};
      const it = spawn({ rootfs: ${JSON.stringify(rootfs)}, args: ['/bin/sh', '-c', 'sleep 1000 & sleep 1000; true'] }); console.log(await it.started);`;
    const node = spawnProcess(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [chunk] = (await once(node.stdout, 'data')) as [Buffer];
    const init = Number(String(chunk));
    const children = () => (existsSync(`/proc/${init}`) ? readFileSync(`/proc/${init}/task/${init}/children`, 'utf8').trim().split(' ') : []);
    await until(() => children().length === 2);
    const all = [init, ...children().map(Number)];
    node.kill('SIGKILL');
    await until(() => all.every((pid) => !existsSync(`/proc/${pid}`)));
  });

  test('gets signals, ends by a timeout, by abort, and when it writes too much', async () => {
    const process = spawn({ rootfs, args: ['/bin/sh', '-c', 'trap "echo got; exit 3" USR1; echo ready; while :; do sleep 0.01; done'] });
    await new Promise((resolve) => process.stdout?.once('data', resolve));
    process.kill('SIGUSR1');
    expect(await process.result).toMatchObject({ exitCode: 3, stdout: 'ready\ngot' });
    expect(await sh('sleep 100', {}, { timeout: 50, forceKillAfterDelay: 50 })).toMatchObject({
      timedOut: true,
      signal: 'SIGKILL',
      isForcefullyTerminated: true,
    });
    expect(await sh('yes', {}, { maxBuffer: 1000 })).toMatchObject({ isMaxBuffer: true, code: 'MAX_BUFFER' });
    const cancelled = sh('sleep 100', {}, { cancelSignal: AbortSignal.timeout(50), killSignal: 'SIGKILL' });
    await expect(cancelled).rejects.toMatchObject({ code: 'COMMAND_CANCELED', isCanceled: true, signal: 'SIGKILL', cause: { name: 'TimeoutError' } });
  });

  test('reads what it is given, however it is given, and need not read it all', async () => {
    expect(await sh('cat', {}, { input: 'text' })).toMatchObject({ stdout: 'text' });
    expect(await sh('cat', {}, { input: Readable.from(['a', 'b']) })).toMatchObject({ stdout: 'ab' });
    expect(await sh('true', {}, { input: 'x'.repeat(1_000_000) })).toMatchObject({ exitCode: 0 });
    const big = Buffer.alloc(3_000_000, 'y');
    expect(big.equals((await sh('cat', {}, { input: big, encoding: 'buffer' })).stdout as Uint8Array)).toBe(true);
  });

  test('says why a command cannot be executed', async () => {
    writeFileSync(path.join(rootfs, 'tmp/plain'), 'not executable');
    writeFileSync(path.join(rootfs, 'tmp/garbage'), Buffer.from([0x7f, 0x45, 0x4c, 0x46, 1, 2, 3]));
    chmodSync(path.join(rootfs, 'tmp/garbage'), 0o755);
    const start = (command: string, env = {}) => spawn({ rootfs, args: [command], env }).result;
    await expect(start('nosuch')).rejects.toMatchObject({ code: 'COMMAND_NOT_FOUND', message: 'nosuch: not found in the container' });
    await expect(start('/tmp/nosuch')).rejects.toMatchObject({ code: 'COMMAND_NOT_FOUND' });
    await expect(start('/tmp/plain')).rejects.toMatchObject({ code: 'COMMAND_NOT_EXECUTABLE', message: expect.stringContaining('EACCES') });
    await expect(start('plain', { PATH: '/nowhere:/tmp:/bin' })).rejects.toMatchObject({ code: 'COMMAND_NOT_EXECUTABLE' });
    await expect(start('/tmp/garbage')).rejects.toMatchObject({ code: 'COMMAND_NOT_EXECUTABLE', message: expect.stringContaining('ENOEXEC') });
    await expect(start('/tmp')).rejects.toMatchObject({ code: 'COMMAND_NOT_EXECUTABLE' });
    expect(readdirSync(path.join(rootfs, 'tmp')).sort()).toEqual(['garbage', 'plain']);
  });
});

describe('a terminal', () => {
  test('is a real one, with its size, and follows a new size', async () => {
    const process = spawn(
      {
        rootfs,
        args: [
          '/bin/sh',
          '-c',
          'tty; test -t 0 && test -t 1 && test -t 2 && echo all; stty size; trap "stty size; exit 0" WINCH; echo ready; while :; do sleep 0.01; done',
        ],
        terminal: { rows: 40, columns: 120 },
        input: { forward: false, raw: false },
      },
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    let output = '';
    process.stdout?.on('data', (chunk: Buffer) => {
      output += chunk;
    });
    await until(() => output.includes('ready'));
    process.resize(50, 132);
    await process.result;
    expect(output.split('\r\n')).toEqual(['/dev/pts/0', 'all', '40 120', 'ready', '50 132', '']);
  });

  test('is the console, and belongs to the user', async () => {
    const process = spawn(
      {
        rootfs,
        args: ['/bin/sh', '-c', 'stat -c "%u:%g %a" /dev/pts/0; echo hello > /dev/console; ls /dev | grep -c console'],
        user: { uid: 1000, gid: 1000 },
        terminal: { rows: 24, columns: 80 },
      },
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const output = (await Array.fromAsync(process.stdout ?? [])).join('');
    expect(output.split('\r\n')).toEqual(['1000:5 620', 'hello', '1', '']);
  });

  test('passes on what is piped in, and its end', async () => {
    const process = spawn(
      { rootfs, args: ['/bin/sh', '-c', 'stty -echo; cat'], terminal: { rows: 24, columns: 80 }, input: { forward: true, raw: false } },
      { stdio: ['pipe', 'pipe', 'inherit'], input: 'one\ntwo\n' },
    );
    const output = (await Array.fromAsync(process.stdout ?? [])).join('');
    expect(output).toContain('one\r\ntwo\r\n');
    expect(await process.result).toMatchObject({ exitCode: 0 });
  });
});
