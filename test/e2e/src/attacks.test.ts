import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { interpreterPath } from '@lamella/syscall';
import { busyboxArchive, findProgram, requiresRoot, type ScratchDirectory, scratch, skip } from '@lamella-test/scratch';
import { describeTree, type Member, ociLayout, tarArchive, treeLines } from '@lamella-test/tree';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { CLI, type Outcome } from './cli.js';
import { ordinaryUser, rootUser, subIdUser, type TestUser } from './test-user.js';

/**
 * Programs that try to get out, from inside of a default container, as root and as an ordinary user.
 * SECURITY.md lists them; the last test holds the two together.
 */
const IMAGES = ['layout', 'links', 'nowhere', 'volumes'] as const;
const SECRET = 'lamella-secret-of-the-host';
const USERS = {
  root: { make: rootUser, flags: [] },
  'root, in a user namespace of its own': { make: rootUser, flags: ['--userns', 'auto'] },
  'an ordinary user': { make: ordinaryUser, flags: [] },
  'an ordinary user with sub-ids': { make: subIdUser, flags: [] },
} as const;
const perl = findProgram('perl');
let at: ScratchDirectory;
/** What of the host's kernel an attack could have set. */
const kernel = (): string[] =>
  ['core_pattern', 'modprobe', 'sysrq'].map((name) => (existsSync(`/proc/sys/kernel/${name}`) ? readFileSync(`/proc/sys/kernel/${name}`, 'utf8') : ''));
let before: string[];
const interpreter = createHash('sha256').update(readFileSync(interpreterPath())).digest('hex');

beforeAll(() => {
  at = scratch();
  chmodSync(at.path, 0o755);
  for (const name of ['host', 'mounted']) mkdirSync(at.join(name));
  writeFileSync(at.join('host/secret'), SECRET);
  chmodSync(at.join('host'), 0o777);
  const out = `../../../../../../../..${at.join('mounted')}`;
  ociLayout(at.join('layout'), [
    readFileSync(busyboxArchive()),
    tarArchive([
      // What an image can prepare: links where mounts, volumes and the first steps of a runtime go.
      { name: 'dev', type: '5' },
      { name: 'dev/null', type: '2', linkname: '/proc/sysrq-trigger' },
      { name: 'dev/console', type: '2', linkname: `${at.join('host')}/console` },
      { name: 'dev/pts', type: '2', linkname: at.join('host') },
      { name: 'work', type: '2', linkname: at.join('host') },
    ]),
  ]);
  // The same path as the host's, inside: a link to it leads there, if it does not lead out.
  const inside = ['host', 'mounted'].map((name): Member => ({ name: `${at.join(name).slice(1)}/`, type: '5' }));
  for (const [image, members] of [
    ['nowhere', []],
    ['links', inside],
  ] as const)
    ociLayout(at.join(image), [
      readFileSync(busyboxArchive()),
      tarArchive([{ name: '.wh.proc' }, { name: 'proc', type: '2', linkname: at.join('host') }, { name: 'volume', type: '2', linkname: out }, ...members]),
    ]);
  ociLayout(
    at.join('volumes'),
    [readFileSync(busyboxArchive()), tarArchive([{ name: 'volume', type: '2', linkname: out }, { name: 'data', type: '2', linkname: '/proc' }, ...inside])],
    {
      config: {
        Volumes: Object.fromEntries(['/proc', '/sys/', '/dev', '/proc/sys', '/x/..//proc/../proc/./sys/', '/sys/fs/cgroup'].map((each) => [each, {}])),
      },
    },
  );
  spawnSync('chmod', ['-R', 'a+rX', ...IMAGES.map((image) => at.join(image))]);
  before = kernel();
}, 60_000);
afterAll(() => at[Symbol.asyncDispose]());

/** The host's perl inside, for system calls that no shell makes. */
const PERL = ['-v', '/usr:/usr:ro', '-v', '/usr/lib:/lib:ro', '-v', '/usr/lib64:/lib64:ro'];
const call = (number: number, ...args: (number | string)[]): string =>
  `/usr/bin/perl -e '$r = syscall(${[number, ...args.map((each) => (typeof each === 'string' ? `"${each}"` : each))].join(', ')}); print $r < 0 ? "refused: $!\\n" : "done\\n"'`;
const REFUSED = /^refused: (?:Operation not permitted|Function not implemented|Permission denied)$/m;

interface Attack {
  readonly name: string;
  readonly flags?: readonly string[];
  readonly image?: string;
  readonly script: string;
  /** What has to be seen, all of it. */
  readonly seen?: readonly RegExp[];
  readonly never?: readonly RegExp[];
}

const ATTACKS: readonly Attack[] = [
  {
    name: 'overwriting the runtime through /proc/1/exe (CVE-2019-5736)',
    flags: ['--init'],
    script: 'echo broken >/proc/1/exe; cat /proc/1/exe >/tmp/copy; ls -l /proc/1/exe; echo ended',
    seen: [/can't create \/proc\/1\/exe/, /ended/],
  },
  {
    name: 'a descriptor or a directory of the host that leaked (CVE-2024-21626)',
    script: 'for fd in /proc/self/fd/*; do readlink $fd; done; ls -l /proc/1/cwd; cd /proc/self/cwd/../../../..; ls',
    seen: [/cwd -> \/$/m, /bin/],
    never: [/lamella|\/tmp|memfd/],
  },
  ...[7, 8, 9].map(
    (fd): Attack => ({
      name: `a working directory behind descriptor ${fd} (CVE-2024-21626)`,
      flags: ['-w', `/proc/self/fd/${fd}`],
      script: 'pwd; cat ../../../../../..$HOSTDIR/secret; ls ../../..',
      never: [new RegExp(SECRET), /containers/],
    }),
  ),
  { name: 'a working directory that the image made a link', flags: ['-w', '/work'], script: 'cat secret; pwd', never: [new RegExp(SECRET)] },
  {
    name: 'a device that the image made a link (CVE-2025-31133, CVE-2025-52565)',
    script: 'ls -l /dev/null /proc/timer_list; test -c /dev/null && wc -c </proc/timer_list; readlink /dev/console; echo x >/dev/null; echo ended',
    seen: [/^crw.* \/dev\/null$/m, /^0$/m, /ended/],
  },
  {
    name: '/proc that the image made a link (CVE-2019-19921, CVE-2025-52881)',
    image: 'links',
    script: 'echo started',
    seen: [/on \/proc in the container: it is behind a link/],
    never: [/started/],
  },
  {
    name: 'a volume onto a link that leads out',
    image: 'volumes',
    flags: ['-v', 'HOSTDIR:/volume/mine'],
    script: 'cat /volume/mine/secret; echo; grep -c " $(readlink -f /volume/mine) " /proc/mounts; echo ended',
    seen: [/^1$/m, /ended/],
  },
  {
    name: 'a mount onto a link that leads nowhere',
    image: 'nowhere',
    script: 'echo started',
    seen: [/\/proc in the container leads to nothing/],
    never: [/started/],
  },
  {
    name: 'volumes of the image where the kernel is masked',
    image: 'volumes',
    script: `echo "|/tmp/run" >/proc/sys/kernel/core_pattern; echo h >/proc/sysrq-trigger; wc -c </proc/timer_list
      cut -d" " -f5 /proc/self/mountinfo | grep -cE "^/(proc|sys|dev)$"`,
    seen: [/Read-only file system|Permission denied/, /^0$/m, /^3$/m],
  },
  {
    name: 'a volume onto a link that leads to /proc',
    image: 'volumes',
    flags: ['-v', 'HOSTDIR:/data/sys'],
    script: 'echo started',
    seen: [/on \/data\/sys in the container: a link leads into what confines it/],
    never: [/started/],
  },
  {
    name: 'a tmpfs over /proc',
    flags: ['--tmpfs', '/proc'],
    script: 'echo started',
    seen: [/nothing but a proc filesystem may take its place/],
    never: [/started/],
  },
  { name: 'a volume whose path climbs', flags: ['--tmpfs', '/a/../../../../../tmp/climbed'], script: 'ls -d /tmp/climbed', seen: [/\/tmp\/climbed/] },
  {
    name: "the runtime's environment in /proc/1/environ",
    flags: ['--init'],
    script: 'cat /proc/1/environ /proc/self/environ; echo ended',
    seen: [/ended/],
    never: [new RegExp(SECRET)],
  },
  {
    name: 'other processes than its own',
    script: 'ls /proc | grep "^[0-9]" | wc -l; kill -9 $(cat /proc/loadavg | cut -d" " -f5) -1000000 2>&1; echo ended',
    seen: [/^[2-5]$/m],
  },
  { name: 'a signal to the monitor', script: `kill -9 ${process.pid} 2>&1; kill -9 ${process.ppid} 2>&1; echo ended`, seen: [/No such process/, /ended/] },
  { name: 'tracing the small init', flags: ['--init', ...PERL], script: call(101, 16, 1, 0, 0), seen: [REFUSED] },
  {
    name: 'mounting',
    script: 'mount -t tmpfs x /tmp; mount -t proc p /tmp; mount --bind / /tmp; mount | grep " /tmp "; echo ended',
    seen: [/permission denied|not permitted/i],
    never: [/ \/tmp type/],
  },
  {
    name: 'remounting what is read-only',
    script: 'mount -o remount,rw /proc/sys; mount -o remount,rw /sys; echo x >/proc/sys/vm/swappiness',
    seen: [/permission denied|not permitted/i],
  },
  { name: 'unmounting to reveal', script: 'umount /proc/timer_list; umount -l /proc/sys; umount /proc; wc -c </proc/timer_list', seen: [/permitted/, /^0$/m] },
  { name: 'a disk by mknod', script: 'mknod /tmp/disk b 8 0 || mknod /dev/disk b 8 0 || echo refused; cat /tmp/disk /dev/disk', seen: [/refused/] },
  { name: "the kernel's keys", flags: PERL, script: `${call(250, 0, -3, 1)}; ${call(248, 'user', 'x', 'x', 1, -2)}`, seen: [REFUSED], never: [/done/] },
  {
    name: 'a user namespace inside',
    flags: PERL,
    script: `${call(272, 0x10000000)}; ${call(435, 0, 0)}; ${call(308, 3, 0)}`,
    seen: [REFUSED],
    never: [/done/],
  },
  {
    name: 'a handler of core dumps',
    script: 'echo "|/tmp/run" >/proc/sys/kernel/core_pattern; echo "|/tmp/run" >/proc/sys/kernel/modprobe',
    seen: [/Read-only file system|Permission denied/],
  },
  {
    name: 'the release_agent of a cgroup',
    script: 'mkdir /tmp/g; mount -t cgroup -o memory c /tmp/g; mount -t cgroup2 c /tmp/g; ls /tmp/g',
    seen: [/permission denied|not permitted/i],
  },
  {
    name: 'the network of the host by a raw socket',
    flags: PERL,
    script: 'ip link | grep -c "^[0-9]"; ping -c 1 -W 1 192.0.2.1; ping -c 1 -W 1 8.8.8.8; echo ended',
    seen: [/^1$/m, /unreachable|not permitted/i],
  },
  { name: 'the machine’s VM sockets', flags: PERL, script: call(41, 40, 1, 0), seen: [REFUSED] },
  {
    name: 'the ciphers of the kernel by AF_ALG (CVE-2026-31431)',
    flags: PERL,
    script: `${call(41, 38, 5, 0)}; ${call(41, 0x100000000 + 38, 5, 0)}; ${call(41, 0x100000000 + 40, 1, 0)}`,
    seen: [REFUSED],
    never: [/done|Address family not supported/],
  },
  {
    name: 'old families of sockets',
    flags: PERL,
    script: [12, 19, 20, 23, 25, 34, 37, 46].map((family) => call(41, family, 2, 0)).join('; '),
    seen: [REFUSED],
    never: [/done|Address family not supported/],
  },
  {
    name: 'a module of the kernel',
    flags: PERL,
    script: `${call(313, 0, '', 0)}; ${call(175, '', 0, '')}; ${call(321, 0, 0, 0)}; ${call(246, 0, 0, 0, 0)}`,
    seen: [REFUSED],
    never: [/done/],
  },
  {
    name: 'io_uring, userfaultfd and perf',
    flags: PERL,
    script: `${call(425, 1, 0)}; ${call(323, 0)}; ${call(298, 0, 0, 0, 0, 0)}`,
    seen: [REFUSED],
    never: [/done/],
  },
  { name: 'sysrq', script: 'echo h >/proc/sysrq-trigger', seen: [/Read-only file system|Permission denied|nonexistent/] },
  { name: 'set-user-id programs', script: 'cp /bin/busybox /tmp/su; chmod 4755 /tmp/su; grep NoNewPrivs /proc/self/status', seen: [/NoNewPrivs:\t1/] },
];

describe.each(Object.entries(USERS))('by %s', (_, { make, flags: own }) => {
  let place: ScratchDirectory;
  let who: TestUser;
  const lamella = (args: readonly string[]): Outcome => who.lamella(args, { SECRET });
  beforeAll(() => {
    // A separate home, also for root: two suites run as root.
    place = scratch();
    who = make(place);
    for (const image of IMAGES) lamella(['load', at.join(image), image]);
  }, 60_000);
  afterAll(() => place[Symbol.asyncDispose]());
  beforeEach((context) => {
    requiresRoot(context);
    who.require(context);
    expect(lamella(['images', '--format', '{{.Name}}']).stdout).toBe(`${IMAGES.join('\n')}\n`);
  });

  test.for(ATTACKS.map((attack) => [attack.name, attack] as const))('%s', ([, { flags = [], image = 'layout', script, seen = [], never = [] }], context) => {
    if (flags === PERL || flags.includes(PERL[1] as string)) if (!perl || process.arch !== 'x64') skip(context, "it needs the host's perl on x86_64");
    const outcome = lamella([
      'run',
      ...own,
      '-e',
      `HOSTDIR=${at.join('host')}`,
      ...flags.map((flag) => flag.replace('HOSTDIR', at.join('host'))),
      image,
      'sh',
      '-c',
      `exec 2>&1; ${script}`,
    ]);
    const text = `${outcome.stdout}${outcome.stderr}`;
    for (const each of seen) expect(text).toMatch(each);
    for (const each of never) expect(text).not.toMatch(each);
    // Whatever was tried, the host is what it was.
    expect(kernel()).toEqual(before);
    expect(readdirSync(at.join('host'))).toEqual(['secret']);
    expect(readdirSync(at.join('mounted'))).toEqual([]);
    expect(readFileSync(at.join('host/secret'), 'utf8')).toBe(SECRET);
    expect(createHash('sha256').update(readFileSync(interpreterPath())).digest('hex')).toBe(interpreter);
  });

  test('writing through to the image', async () => {
    const layers = path.join(who.home, '.local/share/lamella/layers');
    const untouched = treeLines(await describeTree(layers));
    lamella([
      'run',
      ...own,
      'layout',
      'sh',
      '-c',
      'for f in /bin/* /etc/*; do echo broken >>$f; chmod 777 $f; done; rm -rf /etc /usr /home; touch -d 1990-01-01 /bin; mv /bin /moved',
    ]);
    expect(treeLines(await describeTree(layers))).toEqual(untouched);
  });

  test('typing into the terminal of the user (TIOCSTI)', (context) => {
    const script = findProgram('script') ?? skip(context, 'script is not installed');
    if (!perl || process.arch !== 'x64') skip(context, "it needs the host's perl on x86_64");
    const inside = `/usr/bin/perl -e 'for (split //, "echo typed\\n") { $ok = ioctl(STDIN, 0x5412, $_); } print $ok ? "typed it" : "refused: $!", "\\n"'`;
    const command = `${process.execPath} ${CLI} run ${own.join(' ')} -i ${PERL.join(' ')} layout sh -c ${JSON.stringify(inside).replaceAll('$', '\\$')}`;
    const { stdout } = who.run(script, ['-qec', command, '/dev/null']);
    expect(stdout).toMatch(/refused: /);
    expect(stdout).not.toMatch(/typed it/);
  });

  test('a fork bomb under a limit', () => {
    const outcome = lamella(['run', ...own, '--pids-limit', '16', 'layout', 'sh', '-c', 'b() { b | b & }; b; sleep 0.5; echo ended']);
    // An ordinary user may have no limit without delegation: then it does not start at all.
    if (outcome.status === 125) expect(outcome.stderr).toMatch(/systemd|cgroup/);
    else expect(outcome.stderr).toMatch(/can't fork/);
  });
});

test('SECURITY.md lists every attack', () => {
  const text = readFileSync(path.join(import.meta.dirname, '../../../SECURITY.md'), 'utf8');
  const others = ['writing through to the image', 'typing into the terminal of the user (TIOCSTI)', 'a fork bomb under a limit'];
  const names = [...ATTACKS.map(({ name }) => name.replace(/descriptor \d/, 'a descriptor')), ...others];
  expect(names.filter((name) => !text.includes(`| ${name} `))).toEqual([]);
});
