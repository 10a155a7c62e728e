import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  OCI_RUNTIME,
  type OciBundle,
  type OciResult,
  ociBundle,
  requiresProgram,
  requiresRoot,
  type ScratchDirectory,
  scratch,
  skip,
  until,
} from '@lamella-test/scratch';
import { afterEach, beforeEach, expect, test } from 'vitest';

let at: ScratchDirectory;
let bundle: OciBundle;
const isRoot = process.geteuid?.() === 0;

beforeEach((context) => {
  requiresRoot(context as never);
  at = scratch('tmpfs');
  bundle = ociBundle(at);
});

afterEach(async () => {
  if (!isRoot) return;
  for (const id of bundle.oci('list', '-q').stdout.split('\n').filter(Boolean)) bundle.oci('delete', '--force', id);
  expect(existsSync(bundle.root) ? readdirSync(bundle.root) : []).toEqual([]);
  await at[Symbol.asyncDispose]();
});

const sh = (script: string) => (config: { process: { args: string[] } }) => {
  config.process.args = ['sh', '-c', script];
};
const statusOf = (id: string): string => JSON.parse(bundle.oci('state', id).stdout).status;
const cgroups = (name: string): string[] =>
  execFileSync('find', ['/sys/fs/cgroup', '-type', 'd', '-name', name], { encoding: 'utf8' }).split('\n').filter(Boolean);

test('a container is created, started, looked at, killed and deleted, and nothing of it is left', () => {
  bundle.configure(sh('echo up >/mark; exec sleep 1000'));
  const pidFile = at.join('pid');
  expect(bundle.oci('create', '--pid-file', pidFile, 'one')).toEqual({ status: 0, stdout: '', stderr: '' });
  const created = JSON.parse(bundle.oci('state', 'one').stdout);
  expect(created).toMatchObject({ ociVersion: '1.3.0', id: 'one', status: 'created', bundle: bundle.bundle });
  expect(readFileSync(pidFile, 'utf8')).toBe(String(created.pid));
  expect(existsSync(path.join(bundle.bundle, 'rootfs/mark'))).toBe(false);
  expect(bundle.oci('delete', 'one').stderr).toContain('not stopped: created');
  expect(bundle.oci('start', 'one').status).toBe(0);
  expect(statusOf('one')).toBe('running');
  // Only the container's process stays. It belongs to the process that adopts it.
  expect(readFileSync(`/proc/${created.pid}/comm`, 'utf8').trim()).toMatch(/^(?:sh|sleep)$/);
  const again = bundle.oci('start', 'one');
  expect(again.status).toBe(1);
  expect(again.stderr).toContain('cannot start an already running container');
  expect(bundle.oci('delete', 'one').stderr).toContain('not stopped');
  expect(bundle.oci('kill', 'one', 'KILL').status).toBe(0);
  for (let i = 0; i < 100 && statusOf('one') !== 'stopped'; i++) spawnSync('sleep', ['0.02']);
  expect(statusOf('one')).toBe('stopped');
  expect(bundle.oci('kill', 'one').stderr).toContain('container not running');
  expect(bundle.oci('delete', 'one').status).toBe(0);
  expect(bundle.oci('state', 'one').stderr).toContain('does not exist');
  expect(bundle.oci('delete', 'one').status).toBe(1);
  expect(bundle.oci('delete', '--force', 'one').status).toBe(0);
  expect(cgroups('one')).toEqual([]);
});

test('run gives the exit status, and exec another process', () => {
  bundle.configure(sh('exit 7'));
  expect(bundle.oci('run', 'two').status).toBe(7);
  bundle.configure(sh('exec sleep 1000'));
  expect(bundle.oci('run', '--detach', 'two').status).toBe(0);
  const { stdout, status } = bundle.oci('exec', '--user', '5:6', '--cwd', '/tmp', '--env', 'A=b', 'two', 'sh', '-c', 'echo $(id -u) $(id -g) $PWD $A; exit 9');
  expect([stdout.trim(), status]).toEqual(['5 6 /tmp b', 9]);
  const missing = bundle.oci('exec', 'two', 'no-such-command');
  expect([missing.status, missing.stderr]).toEqual([255, expect.stringContaining('executable file not found in $PATH')]);
  writeFileSync(at.join('process.json'), JSON.stringify({ args: ['sh', '-c', 'grep NoNewPrivs /proc/self/status'], cwd: '/', noNewPrivileges: true }));
  expect(bundle.oci('exec', '--process', at.join('process.json'), 'two').stdout).toContain('1');
  expect(JSON.parse(bundle.oci('ps', '--format', 'json', 'two').stdout)).toHaveLength(1);
});

test('a path that is to be masked twice is masked', () => {
  bundle.configure((config) => {
    config.process.args = ['sh', '-c', 'cat /etc/passwd | wc -c; ls /usr | wc -l'];
    config.linux.maskedPaths = ['/etc/passwd', '/bin/../etc/passwd', '/etc/passwd', '/none', '/none', '/usr', '/usr'];
  });
  mkdirSync(path.join(bundle.bundle, 'rootfs/etc'), { recursive: true });
  mkdirSync(path.join(bundle.bundle, 'rootfs/usr/hidden'), { recursive: true });
  writeFileSync(path.join(bundle.bundle, 'rootfs/etc/passwd'), 'root:x:0:0::/:/bin/sh\n');
  expect(bundle.oci('run', 'masked')).toMatchObject({ status: 0, stderr: '', stdout: '0\n0\n' });
});

test('pause stops it, resume lets it go on, update changes its limits, events tells what it uses', (context) => {
  if (!existsSync('/sys/fs/cgroup/freezer') && !existsSync('/sys/fs/cgroup/cgroup.controllers')) skip(context, 'no cgroup here can be frozen');
  bundle.configure(sh('exec sleep 1000'));
  bundle.oci('run', '--detach', 'three');
  expect(bundle.oci('resume', 'three').stderr).toContain('not paused');
  expect(bundle.oci('pause', 'three').status).toBe(0);
  expect(statusOf('three')).toBe('paused');
  expect(bundle.oci('exec', 'three', 'true').stderr).toContain('paused');
  expect(bundle.oci('resume', 'three').status).toBe(0);
  expect(bundle.oci('update', '--pids-limit', '33', 'three').status).toBe(0);
  expect(bundle.oci('update', '--l3-cache-schema', 'L3:0=f', 'three').stderr).toContain('has no Intel RDT class of service');
  expect(bundle.oci('update', '--mem-bw-schema', 'L3:0=f', 'three').stderr).toContain('begins with MB:');
  const stats = JSON.parse(bundle.oci('events', '--stats', 'three').stdout);
  expect(stats).toMatchObject({ type: 'stats', id: 'three', data: { pids: { limit: 33, current: 1 } } });
});

test('a container that somebody waits for can be paused, and deleted, by others', async () => {
  bundle.configure(sh('exec sleep 1000'));
  const child = spawn(process.execPath, [OCI_RUNTIME, '--root', bundle.root, 'run', 'waited'], { cwd: bundle.bundle, stdio: 'ignore' });
  const ended = once(child, 'exit');
  await until(() => bundle.oci('state', 'waited').stdout.includes('running'));
  for (const words of [['pause'], ['resume'], ['delete', '--force']]) expect(bundle.oci(...words, 'waited')).toMatchObject({ status: 0, stderr: '' });
  expect(await ended).toEqual([137, null]);
});

test('a cgroup that was there before is there afterwards, with who is in it', async (context) => {
  const top = existsSync('/sys/fs/cgroup/cgroup.controllers') ? '/sys/fs/cgroup' : '/sys/fs/cgroup/pids';
  if (!existsSync(top)) skip(context, 'there is no cgroup for processes here');
  mkdirSync(`${top}/lamella-test-before`);
  try {
    bundle.configure((config) => {
      config.process.args = ['true'];
      config.linux.cgroupsPath = '/lamella-test-before';
      config.linux.namespaces = config.linux.namespaces.filter(({ type }: { type: string }) => type !== 'pid');
    });
    const other = spawn('sleep', ['1000'], { stdio: 'ignore' });
    writeFileSync(`${top}/lamella-test-before/cgroup.procs`, String(other.pid));
    expect(bundle.oci('run', 'one').status).toBe(0);
    // Nor was who is in it killed.
    expect(other.signalCode).toBe(null);
    expect(readFileSync(`${top}/lamella-test-before/cgroup.procs`, 'utf8').trim()).toBe(String(other.pid));
    const ended = once(other, 'exit');
    other.kill('SIGKILL');
    await ended;
    expect(cgroups('lamella-test-before')).toEqual([`${top}/lamella-test-before`]);
  } finally {
    rmdirSync(`${top}/lamella-test-before`);
  }
});

/** What is wrong, and what the one line says of it. */
// biome-ignore lint/suspicious/noExplicitAny: each makes of a configuration what is none any more
const BAD: readonly (readonly [string, (config: any) => void, RegExp])[] = [
  ['no version', (c) => Reflect.deleteProperty(c, 'ociVersion'), /ociVersion/],
  ['a version to come', (c) => Object.assign(c, { ociVersion: '2.0.0' }), /ociVersion: 2\.0\.0/],
  ['no root', (c) => Reflect.deleteProperty(c, 'root'), /root/],
  ['a root that is not there', (c) => Object.assign(c, { root: { path: 'nowhere' } }), /root\.path: no such directory/],
  ['no command', (c) => Object.assign(c.process, { args: [] }), /process\.args/],
  ['a command that is not there', (c) => Object.assign(c.process, { args: ['nowhere'] }), /executable file not found/],
  ['a command that cannot be executed', (c) => Object.assign(c.process, { args: ['/etc/passwd'] }), /permission denied/],
  ['a relative working directory', (c) => Object.assign(c.process, { cwd: 'tmp' }), /process\.cwd/],
  ['text for a number', (c) => Object.assign(c.process, { user: { uid: 'root', gid: 0 } }), /process\.user\.uid/],
  ['a user that is none', (c) => Object.assign(c.process, { user: { uid: 4294967295, gid: 0 } }), /process\.user\.uid/],
  ['a user that would be root', (c) => Object.assign(c.process, { user: { uid: 4294967296, gid: 0 } }), /process\.user\.uid/],
  ['a group that is none', (c) => Object.assign(c.process, { user: { uid: 1, gid: 1, additionalGids: [4294967295] } }), /additionalGids/],
  ['a limit twice', (c) => Object.assign(c.process, { rlimits: [1, 2].map(() => ({ type: 'RLIMIT_CORE', soft: 0, hard: 0 })) }), /RLIMIT_CORE is set twice/],
  ['a limit that is none', (c) => Object.assign(c.process, { rlimits: [{ type: 'RLIMIT_LUCK', soft: 0, hard: 0 }] }), /RLIMIT_LUCK/],
  ['a namespace twice', (c) => Object.assign(c.linux, { namespaces: [{ type: 'mount' }, { type: 'mount' }] }), /mount is set twice/],
  ['a namespace that is none', (c) => Object.assign(c.linux, { namespaces: [{ type: 'luck' }] }), /not a namespace type/],
  [
    'a namespace of another kind',
    (c) => Object.assign(c.linux, { namespaces: [{ type: 'mount' }, { type: 'uts' }, { type: 'ipc', path: '/proc/self/ns/uts' }] }),
    /namespaces\[2\].*invalid argument/,
  ],
  ['a host name without its namespace', (c) => Object.assign(c.linux, { namespaces: [{ type: 'mount' }] }), /uts namespace/],
  ['a user namespace without ids', (c) => Object.assign(c.linux, { namespaces: [{ type: 'mount' }, { type: 'uts' }, { type: 'user' }] }), /uidMappings/],
  ['a sysctl of the host', (c) => Object.assign(c.linux, { sysctl: { 'vm.swappiness': '1' } }), /vm\.swappiness/],
  [
    'a source that is not there',
    (c) => Object.assign(c, { mounts: [{ destination: '/x', source: '/nowhere', options: ['bind'] }] }),
    /mounts\[0\].*no such file/,
  ],
  [
    'a filesystem that is none',
    (c) => Object.assign(c, { mounts: [{ destination: '/x', type: 'luck', source: 'x' }] }),
    /mounts\[0\] onto \/x.*no such device/,
  ],
  [
    'an option that the filesystem refuses',
    (c) => Object.assign(c, { mounts: [{ destination: '/x', type: 'tmpfs', source: 'x', options: ['luck=1'] }] }),
    /mounts\[0\]/,
  ],
  ['a filter that is none', (c) => Object.assign(c.linux, { seccomp: { defaultAction: 'SCMP_ACT_LUCK' } }), /seccomp/],
  ['a propagation that is none', (c) => Object.assign(c.linux, { rootfsPropagation: 'luck' }), /rootfsPropagation/],
  ['a hook by a relative path', (c) => Object.assign(c, { hooks: { prestart: [{ path: 'sh' }] } }), /hooks\.prestart\.0\.path/],
  [
    'a hook that fails',
    (c) => Object.assign(c, { hooks: { createRuntime: [{ path: '/bin/sh', args: ['sh', '-c', 'echo why >&2; exit 3'] }] } }),
    /hooks\.createRuntime\[0\] \/bin\/sh: exit status 3, stderr: why/,
  ],
  ['a terminal for nobody', (c) => Object.assign(c.process, { terminal: true }), /--console-socket/],
];

test.each(BAD)('bad input, %s: one line, and nothing is made', (_, change, said) => {
  bundle.configure(change as never);
  const { status, stdout, stderr } = bundle.oci('create', 'bad');
  expect([status, stdout]).toEqual([1, '']);
  expect(stderr).toMatch(said);
  expect(stderr.trim().split('\n')).toHaveLength(1);
  expect(existsSync(bundle.root) ? readdirSync(bundle.root) : []).toEqual([]);
  expect(cgroups('bad')).toEqual([]);
});

test('what is wrong is also told as JSON in a log', () => {
  const log = at.join('log');
  expect(bundle.oci('--log', log, '--log-format', 'json', 'create', '--bundle', at.join('nowhere'), 'x').status).toBe(1);
  const line = JSON.parse(readFileSync(log, 'utf8').trim());
  expect(line).toMatchObject({ level: 'error', msg: expect.stringContaining('config.json') });
  expect(Number.isNaN(Date.parse(line.time))).toBe(false);
  for (const args of [['create'], ['create', '../x'], ['state', 'nobody'], ['luck'], ['kill', 'x', 'LUCK'], ['start', '--luck', 'x']]) {
    const { status, stderr } = bundle.oci(...args);
    expect([args, status]).toEqual([args, 1]);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  }
});

test('hooks run in their order, in their places, with the state on stdin; those after the end only warn', () => {
  const log = at.join('hooks');
  const note = (name: string): { path: string; args: string[] } => ({
    path: '/bin/sh',
    args: ['sh', '-c', `read -r state; echo "${name} $(readlink /proc/self/ns/mnt) $state" >>${log}`],
  });
  bundle.configure((config) => {
    config.process.args = ['sh', '-c', 'exec sleep 1000'];
    config.mounts.push({ destination: at.path, source: at.path, options: ['rbind'] });
    config.hooks = {
      prestart: [note('prestart')],
      createRuntime: [note('createRuntime')],
      createContainer: [note('createContainer')],
      startContainer: [note('startContainer')],
      poststart: [note('poststart')],
      poststop: [{ path: '/bin/false' }, note('poststop')],
    };
  });
  const lines = (): string[][] =>
    existsSync(log)
      ? readFileSync(log, 'utf8')
          .trim()
          .split('\n')
          .map((line) => line.split(' '))
      : [];
  expect(bundle.oci('create', 'hooked').stderr).toBe('');
  expect(lines().map(([name]) => name)).toEqual(['prestart', 'createRuntime', 'createContainer']);
  expect(bundle.oci('start', 'hooked').stderr).toBe('');
  bundle.oci('kill', 'hooked', 'KILL');
  const { stderr, status } = bundle.oci('delete', '--force', 'hooked');
  expect([status, stderr]).toEqual([0, expect.stringContaining('hooks.poststop[0] /bin/false: exit status 1')]);
  expect(lines().map(([name]) => name)).toEqual(['prestart', 'createRuntime', 'createContainer', 'startContainer', 'poststart', 'poststop']);
  const [host, , inside, started] = lines().map(([, namespace]) => namespace);
  expect(inside).not.toBe(host);
  expect(started).toBe(inside);
  const states = lines().map(([, , ...json]) => JSON.parse(json.join(' ')).status);
  expect(states).toEqual(['creating', 'creating', 'creating', 'created', 'running', 'stopped']);
});

test('a poststart hook that fails ends the container, but only warns for a bundle of before 1.2.1', () => {
  const failing = (version: string) => (config: { ociVersion: string; hooks: unknown; process: { args: string[] } }) => {
    config.ociVersion = version;
    config.process.args = ['sleep', '1000'];
    config.hooks = { poststart: [{ path: '/bin/false' }] };
  };
  bundle.configure(failing('1.2.1'));
  bundle.oci('create', 'p');
  expect(bundle.oci('start', 'p').status).toBe(1);
  expect(bundle.oci('state', 'p').status).toBe(1);
  bundle.configure(failing('1.1.0'));
  bundle.oci('create', 'p');
  const { status, stderr } = bundle.oci('start', 'p');
  expect([status, stderr]).toEqual([0, expect.stringContaining('hooks.poststart[0]')]);
  expect(statusOf('p')).toBe('running');
});

test('the process is what its configuration says', () => {
  bundle.configure((config) => {
    Object.assign(config.process, {
      args: [
        'sh',
        '-c',
        'id -u; id -g; id -G; umask; pwd; echo $HOME; ulimit -n; cat /proc/self/oom_score_adj; grep -E "^(Cap|NoNewPrivs)" /proc/self/status | tr "\\n\\t" "  "; echo; hostname; cat /proc/sys/kernel/domainname; cat /proc/self/personality; cat /proc/sys/net/ipv4/ip_forward; cut -d" " -f41 /proc/self/stat; ionice 2>/dev/null',
      ],
      user: { uid: 12, gid: 34, additionalGids: [56], umask: 0o027 },
      cwd: '/made/for/it',
      oomScoreAdj: 321,
      rlimits: [{ type: 'RLIMIT_NOFILE', soft: 64, hard: 128 }],
      noNewPrivileges: true,
      capabilities: Object.fromEntries(
        ['bounding', 'permitted', 'inheritable', 'effective', 'ambient'].map((set) => [set, ['CAP_NET_BIND_SERVICE', 'CAP_LUCK']]),
      ),
      scheduler: { policy: 'SCHED_BATCH', nice: 5 },
    });
    Object.assign(config, { hostname: 'host', domainname: 'domain' });
    Object.assign(config.linux, { personality: { domain: 'LINUX32' }, sysctl: { 'net.ipv4.ip_forward': '1' } });
  });
  const { stdout, stderr } = bundle.oci('run', 'p');
  expect(stderr).toContain('CAP_LUCK');
  const [uid, gid, groups, umask, cwd, home, files, score, status, host, domain, persona, forward, policy] = stdout.trim().split('\n');
  expect([uid, gid, groups, umask, cwd, home, files, score]).toEqual(['12', '34', '34 56', '0027', '/made/for/it', '/', '64', '321']);
  expect(status).toMatch(/CapInh: 0+400 CapPrm: 0+400 CapEff: 0+400 CapBnd: 0+400 CapAmb: 0+400 NoNewPrivs: 1/);
  expect([host, domain, forward, policy]).toEqual(['host', 'domain', '1', '3']);
  // PER_LINUX32
  expect(persona).toBe('00000008');
});

test('mounts are made in their order, inside the root only, with their options', () => {
  mkdirSync(at.join('data/sub'), { recursive: true });
  writeFileSync(at.join('data/file'), 'text');
  symlinkSync('/../../../../etc', path.join(bundle.bundle, 'rootfs/escape'));
  bundle.configure((config) => {
    config.process.args = ['sh', '-c', 'grep -E " /(a|b|c|etc/d|up|last) " /proc/self/mountinfo; cat /b; touch /a/x 2>&1; find /up | sort; touch /up/y'];
    mkdirSync(path.join(bundle.bundle, 'rootfs/up'));
    mkdirSync(path.join(bundle.bundle, 'rootfs/up/d/e'), { recursive: true });
    writeFileSync(path.join(bundle.bundle, 'rootfs/up/below'), '');
    writeFileSync(path.join(bundle.bundle, 'rootfs/up/d/e/file'), '');
    // Links that a walk must not follow: two make a tree without end, one shows the host's files.
    for (const [name, target] of Object.entries({ a: '.', b: '.', 'd/etc': '/etc' })) symlinkSync(target, path.join(bundle.bundle, 'rootfs/up', name));
    config.mounts.push(
      { destination: '/a', source: at.join('data'), options: ['rbind', 'ro', 'nosuid', 'rnoexec'] },
      { destination: '/b', source: at.join('data/file'), type: 'none', options: ['bind'] },
      { destination: '/c', type: 'tmpfs', source: 'tmpfs', options: ['size=64k', 'noexec', 'mode=700', 'rshared'] },
      { destination: '/escape/d', type: 'tmpfs', source: 'tmpfs' },
      { destination: '/up', type: 'tmpfs', source: 'tmpfs', options: ['tmpcopyup', 'size=1m'] },
      { destination: '/last', source: at.join('data'), options: ['bind'] },
    );
  });
  const { stdout } = bundle.oci('run', 'm');
  expect([...stdout.matchAll(/ (\/\S+) \S+,relatime/g)].map(([, destination]) => destination)).toEqual(['/a', '/b', '/c', '/etc/d', '/up', '/last']);
  expect(stdout).toMatch(/ \/a ro,nosuid,noexec[, ]/);
  expect(stdout).toMatch(/ \/c rw,noexec\S* shared:\d+ - tmpfs tmpfs \S*size=64k,mode=700/);
  expect(stdout).toMatch(/ \/etc\/d /);
  expect(stdout).toMatch(/text.*Read-only file system\n/s);
  expect(stdout).toContain('\n/up\n/up/a\n/up/b\n/up/below\n/up/d\n/up/d/e\n/up/d/e/file\n/up/d/etc\n');
});

/** Mounts in or near /proc, and whether runc makes them. */
const NEAR_PROC: readonly (readonly [what: string, mount: (data: string) => object, allowed: boolean])[] = [
  ['a directory on /proc', (data) => ({ destination: '/proc', source: data, options: ['bind'] }), false],
  ['a tmpfs on /proc', () => ({ destination: '/proc', type: 'tmpfs', source: 'tmpfs' }), false],
  ['a tmpfs on //proc/', () => ({ destination: '//proc/', type: 'tmpfs', source: 'tmpfs' }), false],
  ['the host’s /proc on /proc', () => ({ destination: '/proc', source: '/proc', options: ['rbind'] }), true],
  ['a directory on /proc/sys', (data) => ({ destination: '/proc/sys', source: data, options: ['bind'] }), false],
  ['a directory on /proc/sys by ..', (data) => ({ destination: '/x/../proc/sys', source: data, options: ['bind'] }), false],
  ['a tmpfs on /proc/scsi', () => ({ destination: '/proc/scsi', type: 'tmpfs', source: 'tmpfs' }), false],
  ['a file on /proc/uptime', (data) => ({ destination: '/proc/uptime', source: `${data}/file`, options: ['bind'] }), true],
  ['a file on /proc/version', (data) => ({ destination: '/proc/version', source: `${data}/file`, options: ['bind'] }), false],
  ['a directory behind a link to /proc', (data) => ({ destination: '/to-proc/sys', source: data, options: ['bind'] }), false],
  ['a tmpfs behind a link to /proc/sys', () => ({ destination: '/to-sys/kernel', type: 'tmpfs', source: 'tmpfs' }), false],
  ['cgroups behind a link to /proc', () => ({ destination: '/to-proc/sys', type: 'cgroup', source: 'cgroup' }), false],
  ['a directory on /processes', (data) => ({ destination: '/processes', source: data, options: ['bind'] }), true],
  ['a directory on /sys/firmware', (data) => ({ destination: '/sys/fs', source: data, options: ['bind'] }), true],
];

test.each(NEAR_PROC)('%s, as with runc', (what, mount, allowed) => {
  mkdirSync(at.join('data'));
  writeFileSync(at.join('data/file'), 'text');
  for (const [name, target] of [
    ['to-proc', '/proc'],
    ['to-sys', 'to-proc/../proc/sys'],
  ] as const)
    symlinkSync(target, path.join(bundle.bundle, 'rootfs', name));
  bundle.configure((config) => {
    // Where a directory is missing no kernel could make it.
    config.process.args = [
      'sh',
      '-c',
      '(: >>/proc/sys/kernel/core_pattern) 2>/dev/null && echo written; head -c 1 /proc/timer_list; head -c 1 /proc/keys; echo ended',
    ];
    config.mounts.push(mount(at.join('data')));
  });
  const ours = bundle.oci('run', 'near');
  expect({ what, stdout: ours.stdout, status: ours.status === 0 }).toEqual({ what, stdout: allowed ? 'ended\n' : '', status: allowed });
  if (!allowed) expect(ours.stderr).toMatch(/MOUNT_REFUSED|inside \/proc|not of type proc|a link/);
  if (!process.env.LAMELLA_LONG || spawnSync('runc', ['--version'], { stdio: 'ignore' }).status !== 0) return;
  const runc = (id: string): OciResult => {
    const { status, stdout, stderr } = spawnSync('runc', ['--root', at.join('runc'), 'run', id], {
      cwd: bundle.bundle,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    return { status, stdout, stderr };
  };
  const theirs = runc('near');
  bundle.configure((config) => {
    config.process.args = ['echo', 'ended'];
  });
  // If it cannot run anything, it is not a reference. Lamella refuses what it refuses; its version 1.1 lets a tmpfs pass behind some links.
  if (runc('plain').stdout === 'ended\n' && (allowed || theirs.status !== 0))
    expect([what, theirs.status === 0, theirs.stderr]).toEqual([what, allowed, theirs.stderr]);
});

test('a user namespace maps its ids, has its devices, and can be entered', () => {
  bundle.configure((config) => {
    config.process.args = ['sleep', '1000'];
    config.linux.namespaces.push({ type: 'user' });
    config.linux.uidMappings = [{ containerID: 0, hostID: 200000, size: 65536 }];
    config.linux.gidMappings = [{ containerID: 0, hostID: 200000, size: 65536 }];
    config.linux.devices = [{ path: '/dev/mine', type: 'c', major: 1, minor: 5, uid: 3, gid: 4, fileMode: 0o644 }];
  });
  execFileSync('chown', ['-R', '200000:200000', path.join(bundle.bundle, 'rootfs')]);
  // Its root has to get there.
  execFileSync('chmod', ['755', at.path]);
  expect(bundle.oci('run', '-d', 'u')).toMatchObject({ status: 0, stderr: '' });
  const { stdout } = bundle.oci(
    'exec',
    'u',
    'sh',
    '-c',
    'cat /proc/self/uid_map; stat -c "%u %g %a %t %T" /dev/mine; head -c 2 /dev/mine 2>&1 | wc -c; touch /new; id -u',
  );
  expect(stdout.trim().replace(/ +/g, ' ')).toBe('0 200000 65536\n3 4 644 1 5\n2\n0');
  expect(execFileSync('stat', ['-c', '%u', path.join(bundle.bundle, 'rootfs/new')], { encoding: 'utf8' }).trim()).toBe('200000');
});

test('a bind mount shows its files with other ids', (context) => {
  mkdirSync(at.join('data'));
  writeFileSync(at.join('data/file'), '');
  const mapping = [{ containerID: 0, hostID: 1000, size: 1000 }];
  bundle.configure((config) => {
    config.process.args = ['stat', '-c', '%u', '/data/file'];
    config.mounts.push({ destination: '/data', source: at.join('data'), options: ['bind'], uidMappings: mapping, gidMappings: mapping });
  });
  const { stdout, stderr } = bundle.oci('run', 'i');
  if (/invalid argument/.test(stderr)) skip(context, 'the filesystem of the scratch directory cannot be idmapped');
  expect(stdout.trim()).toBe('1000');
});

test('namespaces are joined by their paths', () => {
  bundle.configure((config) => {
    config.process.args = ['sleep', '1000'];
    config.hostname = 'first';
  });
  bundle.oci('run', '-d', 'first');
  const { pid } = JSON.parse(bundle.oci('state', 'first').stdout);
  bundle.configure((config) => {
    config.process.args = ['sh', '-c', 'hostname; readlink /proc/self/ns/net; ps | grep -c "sleep 1000"'];
    Reflect.deleteProperty(config, 'hostname');
    config.linux.namespaces = [
      { type: 'mount' },
      ...['pid', 'ipc', 'uts', 'network'].map((type) => ({ type, path: `/proc/${pid}/ns/${type === 'network' ? 'net' : type}` })),
    ];
  });
  const { stdout } = bundle.oci('run', 'second');
  const net = execFileSync('readlink', [`/proc/${pid}/ns/net`], { encoding: 'utf8' }).trim();
  expect(stdout.trim().split('\n').slice(0, 2)).toEqual(['first', net]);
  expect(Number(stdout.trim().split('\n')[2])).toBeGreaterThan(0);
});

/** A network namespace as a machine's: the runtime runs in it, and so does `ip`. */
async function machineWithDevices(...devices: readonly (readonly string[])[]) {
  const holder = spawn('unshare', ['--net', 'sh', '-c', 'echo ready; exec sleep 1000'], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(holder.stdout as NonNullable<typeof holder.stdout>, 'data');
  const enter = ['nsenter', `--net=/proc/${holder.pid}/ns/net`];
  const ip = (...args: readonly string[]): string => spawnSync('nsenter', [...enter.slice(1), 'busybox', 'ip', ...args], { encoding: 'utf8' }).stdout;
  for (const each of devices) ip(...each);
  const runtime = ociBundle(at, [...enter, OCI_RUNTIME]);
  const end = async (): Promise<void> => {
    holder.kill('SIGKILL');
    await once(holder, 'exit');
  };
  return { ...runtime, ip, path: `/proc/${holder.pid}/ns/net`, [Symbol.asyncDispose]: end };
}

test('network devices are moved: with their addresses, under other names, and working', async (context) => {
  for (const program of ['unshare', 'nsenter', 'busybox']) requiresProgram(context, program);
  await using machine = await machineWithDevices(
    ['link', 'add', 'dev0', 'type', 'veth'],
    ['link', 'add', 'dev1', 'type', 'veth'],
    ['address', 'add', '10.1.2.3/24', 'dev', 'dev0'],
    ['address', 'add', 'fd00::7/64', 'dev', 'dev0'],
    ['link', 'set', 'dev0', 'mtu', '1400'],
    ['link', 'set', 'dev0', 'address', '02:00:00:00:00:07'],
  );
  machine.configure((config) => {
    config.process.args = ['sh', '-c', 'ip address show dev eth7; ip link show; exec sleep 1000'];
    config.linux.netDevices = { dev0: { name: 'eth7' }, dev1: { name: 'lan%d' } };
  });
  const { status, stdout, stderr } = machine.oci('create', 'moved');
  expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '', stderr: '' });
  expect(machine.ip('link', 'show')).not.toMatch(/dev[01]@/);
  const seen = machine.oci('start', 'moved');
  expect(seen.status).toBe(0);
  const inside = (...args: string[]): string => machine.oci('exec', 'moved', 'ip', ...args).stdout;
  const eth7 = inside('address', 'show', 'dev', 'eth7');
  for (const wanted of [/[<,]UP[,>]/, /mtu 1400/, /02:00:00:00:00:07/, /inet 10\.1\.2\.3\/24 scope global eth7/]) expect(eth7).toMatch(wanted);
  if (existsSync('/proc/net/if_inet6')) expect(eth7).toMatch(/inet6 fd00::7\/64 scope global/);
  // The kernel gives link-local ones by itself, once.
  expect(eth7.match(/inet6/g)?.length ?? 0).toBeLessThanOrEqual(2);
  expect(inside('link', 'show')).toMatch(/lan0@.*[<,]UP[,>]/);
  expect(machine.oci('delete', '--force', 'moved').status).toBe(0);
});

test('a network device that cannot be moved is named, and those that were come back', async (context) => {
  for (const program of ['unshare', 'nsenter', 'busybox']) requiresProgram(context, program);
  await using machine = await machineWithDevices(
    ['link', 'add', 'dev0', 'type', 'veth'],
    ['address', 'add', '10.1.2.3/24', 'dev', 'dev0'],
    ['link', 'add', 'dev1', 'type', 'veth'],
  );
  const refused = (
    netDevices: object,
    change?: (config: { linux: { namespaces: { type: string }[] }; mounts: object[]; process: { args: string[] } }) => void,
  ): string => {
    machine.configure((config) => {
      config.linux.netDevices = netDevices;
      change?.(config);
    });
    const { status, stderr } = machine.oci('create', 'refused');
    expect(status).toBe(1);
    expect(machine.oci('list', '-q').stdout).toBe('');
    expect(machine.ip('address', 'show', 'dev', 'dev0')).toContain('inet 10.1.2.3/24 scope global dev0');
    return stderr;
  };
  expect(refused({ dev0: {}, none: {} })).toMatch(/linux\.netDevices\.none: no such device/);
  expect(refused({ dev0: { name: 'lo' } })).toMatch(/netDevices\.dev0: file exists: .* has a device lo/);
  expect(refused({ dev0: { name: 'a/b' } })).toMatch(/netDevices\.dev0: 'a\/b' is not a valid device name/);
  expect(refused({ dev0: { name: 'x' }, dev1: { name: 'x' } })).toMatch(/netDevices\.dev1: another device has the name x too/);
  expect(refused({ dev0: { name: '%d%d' } })).toMatch(/'%d%d' is not a valid template/);
  // The kernel has the last word: lo belongs to its namespace.
  expect(refused({ dev0: {}, lo: { name: 'loop' } })).toMatch(/linux\.netDevices\.lo: EINVAL/);
  expect(refused({ dev0: {} }, ({ process }) => void (process.args = ['no-such-command']))).toMatch(/executable file not found/);
  // Its process ends by that, and its namespace with it.
  expect(refused({ dev0: {} }, ({ mounts }) => void mounts.push({ destination: '/x', type: 'no-such-fs', source: 'x' }))).toMatch(/no-such-fs/);
  const withoutOwn = refused({ dev0: {} }, ({ linux }) => {
    linux.namespaces = linux.namespaces.filter(({ type }) => type !== 'network');
  });
  expect(withoutOwn).toMatch(/netDevices: requires a network namespace/);
});

test('a class of service needs a machine that has them', (context) => {
  if (/ - resctrl /.test(readFileSync('/proc/self/mountinfo', 'utf8'))) skip(context, 'this machine has resctrl mounted');
  const refused = (intelRdt: object): string => {
    bundle.configure((config) => {
      config.linux.intelRdt = intelRdt;
    });
    return bundle.oci('create', 'rdt').stderr;
  };
  expect(refused({})).toMatch(/linux\.intelRdt: no resctrl filesystem is mounted/);
  expect(refused({ closID: '../x' })).toMatch(/closID: '\.\.\/x' is not a valid directory name/);
  expect(refused({ memBwSchema: 'L3:0=f' })).toMatch(/memBwSchema: must be one line that begins with 'MB:'/);
});

test('a namespace of time has its offsets', (context) => {
  if (!existsSync('/proc/self/ns/time')) skip(context, 'this kernel has no namespaces of time');
  bundle.configure((config) => {
    config.process.args = ['cat', '/proc/uptime'];
    config.linux.namespaces.push({ type: 'time' });
    config.linux.timeOffsets = { boottime: { secs: 1_000_000, nanosecs: 0 } };
  });
  const uptime = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]);
  expect(Number(bundle.oci('run', 't').stdout.split(' ')[0])).toBeGreaterThan(uptime + 999_000);
});

test("the filter's listener is handed over with the state of the process", async (context) => {
  const python = requiresProgram(context, 'python3');
  const socket = at.join('listener');
  // It takes the descriptor, and lets the first call that it hears of go on (seccomp_unotify(2)).
  const agent = at.join('agent.py');
  writeFileSync(
    agent,
    `import socket, array, json, fcntl, struct, sys
s = socket.socket(socket.AF_UNIX); s.bind(${JSON.stringify(socket)}); s.listen(1); print('ready', flush=True)
c, _ = s.accept(); data, anc, _, _ = c.recvmsg(65536, socket.CMSG_SPACE(4)); print(data.decode(), flush=True)
fd = array.array('i'); fd.frombytes(anc[0][2][:4])
req = bytearray(80); fcntl.ioctl(fd[0], 0xc0502100, req); nr = struct.unpack_from('<Q I I i', req)
fcntl.ioctl(fd[0], 0xc0182101, struct.pack('<Q q i I', nr[0], 0, -95, 0)); print('answered', nr[3], flush=True)
`,
  );
  const child = spawn(python, [agent], { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.on('data', (data) => {
    said += data;
  });
  while (!said.includes('ready')) await sleep(10);
  bundle.configure((config) => {
    config.process.args = ['sh', '-c', 'mkdir /dev/shm/made'];
    config.linux.seccomp = {
      defaultAction: 'SCMP_ACT_ALLOW',
      listenerPath: socket,
      listenerMetadata: 'for you',
      syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_NOTIFY' }],
    };
  });
  const { stderr } = bundle.oci('run', 's');
  expect(stderr).toMatch(/mkdir:.*(?:not supported|Not supported)/i);
  if (child.exitCode === null) await once(child, 'exit');
  const [, json = '', answered] = said.trim().split('\n');
  expect(JSON.parse(json)).toMatchObject({ fds: ['seccompFd'], metadata: 'for you', state: { id: 's' } });
  expect(answered).toMatch(/^answered/);
});

test('the terminal goes to who listens on the console socket', async () => {
  bundle.configure((config) => {
    config.process.terminal = true;
    config.process.consoleSize = { height: 33, width: 101 };
    config.process.args = ['sh', '-c', 'tty >/out; stty size >>/out; ls -l /dev/console >>/out; sleep 1000'];
  });
  const socket = at.join('a'.repeat(70));
  // Node drops descriptors that it reads, and with the master the terminal would hang up.
  const server = createServer({ pauseOnConnect: true });
  server.listen(socket);
  await once(server, 'listening');
  expect(bundle.oci('create', '--console-socket', socket, 'tty').stderr).toBe('');
  expect(bundle.oci('start', 'tty').stderr).toBe('');
  const out = path.join(bundle.bundle, 'rootfs/out');
  for (let i = 0; i < 200 && !(existsSync(out) && readFileSync(out, 'utf8').split('\n').length > 3); i++) await sleep(10);
  expect(readFileSync(out, 'utf8')).toMatch(/^\/dev\/pts\/0\n33 101\ncrw.*136/);
  // With it goes the master that nobody took.
  server.close();
});

test('descriptors are passed on, and those that are not open are refused', () => {
  bundle.configure((config) => {
    config.process.args = ['sh', '-c', 'cat <&4; ls /proc/self/fd | wc -l'];
  });
  writeFileSync(at.join('text'), 'passed\n');
  const command = `exec 3</dev/null 4<${at.join('text')}; exec ${process.execPath} ${OCI_RUNTIME} --root ${bundle.root} run --bundle ${bundle.bundle} --preserve-fds 2 fds`;
  const { stdout } = spawnSync('sh', ['-c', command], { encoding: 'utf8' });
  // 0 to 4, and the directory that is listed.
  expect(stdout).toBe('passed\n6\n');
  expect(bundle.oci('run', '--preserve-fds', '40', 'fds').stderr).toContain('is not open');
});

/** A program of 32 bits, without a compiler for one: it writes a word, asks for its id, and ends with 7 if that was refused. */
function program32(): Buffer {
  const base = 0x08048000;
  const code = Buffer.from(
    [
      'b804000000bb01000000b9', // mov eax, 4 (write); mov ebx, 1; mov ecx, …
      '00000000ba03000000cd80', // … the word; mov edx, 3; int 0x80
      'b818000000cd80', // mov eax, 24 (getuid); int 0x80
      '85c0b8010000007807', // test eax, eax; mov eax, 1 (exit); js refused
      'bb00000000cd80', // mov ebx, 0; int 0x80
      'bb07000000cd80', // refused: mov ebx, 7; int 0x80
      '336862', // 3hb
    ].join(''),
    'hex',
  );
  code.writeUInt32LE(base + 84 + code.length - 3, 11);
  const header = Buffer.alloc(84);
  header.write('7f454c460101010000', 0, 'hex');
  header.writeUInt16LE(2, 16);
  header.writeUInt16LE(3, 18);
  for (const [at32, value] of [
    [20, 1],
    [24, base + 84],
    [28, 52],
    [40, 0x0020_0034],
    [44, 1],
    [52, 1],
    [60, base],
    [64, base],
    [68, 84 + code.length],
    [72, 84 + code.length],
    [76, 5],
    [80, 4096],
  ] as const)
    header.writeUInt32LE(value, at32);
  return Buffer.concat([header, code]);
}

test('32-bit programs live by the filter where it names their architecture, and are killed where not', (context) => {
  if (process.arch !== 'x64') skip(context, 'its table of calls is that of x86_64');
  const file = path.join(bundle.bundle, 'rootfs/bin/program32');
  writeFileSync(file, program32(), { mode: 0o755 });
  const run = (architectures: string[], refused: string[]): OciResult => {
    bundle.configure((config) => {
      config.process.args = ['/bin/program32'];
      config.linux.seccomp = { defaultAction: 'SCMP_ACT_ALLOW', architectures, syscalls: refused.length ? [{ names: refused, action: 'SCMP_ACT_ERRNO' }] : [] };
    });
    return bundle.oci('run', 'bits');
  };
  const both = ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86'];
  const plain = run(both, []);
  if (plain.status === 126 || /exec format/i.test(plain.stderr)) skip(context, 'this kernel runs no 32-bit programs');
  expect(plain).toMatchObject({ status: 0, stdout: '3hb' });
  expect(run(both, ['getuid'])).toMatchObject({ status: 7, stdout: '3hb' });
  expect(run(['SCMP_ARCH_X86_64'], [])).toMatchObject({ status: 159, stdout: '' });
});

test('of many commands at once on one container exactly one wins', async () => {
  bundle.configure(sh('exec sleep 1000'));
  const together = async (...args: string[]): Promise<(number | null)[]> =>
    Promise.all(
      Array.from({ length: 6 }, async () => {
        const child = spawn(process.execPath, [OCI_RUNTIME, '--root', bundle.root, ...args], { cwd: bundle.bundle, stdio: 'ignore' });
        return (await once(child, 'exit'))[0] as number | null;
      }),
    );
  expect((await together('create', 'many')).filter((status) => status === 0)).toHaveLength(1);
  expect((await together('start', 'many')).filter((status) => status === 0)).toHaveLength(1);
  expect(statusOf('many')).toBe('running');
  expect((await together('delete', '--force', 'many')).filter((status) => status === 0)).toHaveLength(6);
  expect(readdirSync(bundle.root)).toEqual([]);
  expect(cgroups('many')).toEqual([]);
});

test('a command that is killed anywhere leaves a state that can be read, and forced away', async () => {
  bundle.configure(sh('exec sleep 1000'));
  for (const milliseconds of [20, 35, 50, 60, 70, 80, 100]) {
    const child = spawn(process.execPath, [OCI_RUNTIME, '--root', bundle.root, 'create', 'killed'], { cwd: bundle.bundle, stdio: 'ignore' });
    const ended = once(child, 'exit');
    await sleep(milliseconds);
    child.kill('SIGKILL');
    await ended;
    await sleep(50);
    const { status, stdout } = bundle.oci('state', 'killed');
    if (status === 0) expect(['created', 'stopped']).toContain(JSON.parse(stdout).status);
    expect(bundle.oci('delete', '--force', 'killed')).toMatchObject({ status: 0 });
    expect(existsSync(path.join(bundle.root, 'killed'))).toBe(false);
    expect(cgroups('killed')).toEqual([]);
  }
});

test('a state that was damaged, or is of before a reboot, does not stand in the way', () => {
  bundle.configure(sh('exec sleep 1000'));
  bundle.oci('run', '-d', 'old');
  const file = path.join(bundle.root, 'old/state.json');
  const stored = JSON.parse(readFileSync(file, 'utf8'));
  writeFileSync(file, JSON.stringify({ ...stored, boot: 'another' }));
  expect(statusOf('old')).toBe('stopped');
  expect(bundle.oci('list').stdout).toMatch(/old +0 +stopped/);
  writeFileSync(file, JSON.stringify(stored));
  bundle.oci('delete', '--force', 'old');
  mkdirSync(path.join(bundle.root, 'broken'), { recursive: true });
  writeFileSync(path.join(bundle.root, 'broken/state.json'), '{');
  expect(bundle.oci('state', 'broken').stderr).toContain('delete --force broken');
  expect(bundle.oci('delete', '--force', 'broken').status).toBe(0);
});

test('an ordinary user runs a container with its own id', () => {
  bundle.configure();
  const directory = at.join('theirs');
  execFileSync('cp', ['-a', bundle.bundle, directory]);
  rmSync(path.join(directory, 'config.json'));
  execFileSync('chown', ['-R', '12345:12345', directory]);
  execFileSync('chmod', ['755', at.path]);
  const as = (...args: string[]): { status: number | null; stdout: string; stderr: string } =>
    spawnSync(process.execPath, [OCI_RUNTIME, '--root', path.join(directory, 'state'), ...args], { cwd: directory, uid: 12345, gid: 12345, encoding: 'utf8' });
  expect(as('spec', '--rootless').stderr).toBe('');
  const config = JSON.parse(readFileSync(path.join(directory, 'config.json'), 'utf8'));
  config.process.terminal = false;
  config.process.args = ['sh', '-c', 'id -u; cat /proc/self/uid_map; exit 5'];
  writeFileSync(path.join(directory, 'config.json'), JSON.stringify(config));
  const { status, stdout, stderr } = as('run', 'mine');
  expect([stderr, status, stdout.replace(/ +/g, ' ').trim()]).toEqual(['', 5, '0\n 0 12345 1']);
});

test('root of a user namespace, as engines of ordinary users have it, is no root of the machine', (context) => {
  requiresProgram(context, 'unshare');
  bundle.configure((config) => {
    config.process.args = ['sh', '-c', 'id -u; head -c 1 /dev/zero | wc -c; ls /sys/fs/cgroup >/dev/null && exit 6'];
    // One id is mapped, and the group of terminals is not.
    for (const mount of config.mounts) mount.options = mount.options?.filter((option: string) => option !== 'gid=5');
    config.linux.resources = {};
  });
  execFileSync('chown', ['-R', '12345:12345', bundle.bundle]);
  execFileSync('chmod', ['755', at.path]);
  const runtime = at.join('runtime');
  mkdirSync(runtime);
  execFileSync('chown', ['12345:12345', runtime]);
  const env = { ...process.env, XDG_RUNTIME_DIR: runtime };
  const { status, stdout, stderr } = spawnSync(
    'unshare',
    ['--user', '--map-root-user', '--mount', process.execPath, OCI_RUNTIME, 'run', '--bundle', bundle.bundle, 'nested'],
    {
      cwd: bundle.bundle,
      uid: 12345,
      gid: 12345,
      env,
      encoding: 'utf8',
    },
  );
  expect([stderr, status, stdout]).toEqual(['', 6, '0\n1\n']);
  expect(readdirSync(path.join(runtime, 'lamella-oci'))).toEqual([]);
});

test('the features document tells what it knows', () => {
  const features = JSON.parse(bundle.oci('features').stdout);
  expect(features).toMatchObject({ ociVersionMin: '1.0.0', ociVersionMax: '1.3.0', hooks: expect.arrayContaining(['createContainer']) });
  expect(features.mountOptions).toContain('rro');
  expect(bundle.oci('--version').stdout).toMatch(/^lamella-oci version \d/);
});
