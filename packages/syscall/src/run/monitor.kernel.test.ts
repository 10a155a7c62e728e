import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { requiresProgram, requiresRoot, type ScratchDirectory, scratch, until } from '@lamella-test/scratch';
import { expect, test } from 'vitest';
import {
  AT_FDCWD,
  CLONE,
  connectMonitor,
  type MonitorConnection,
  O,
  type Op,
  ownMountNamespace,
  type Program,
  RESTART,
  type Reply,
  type Running,
  SUPERVISE,
  start,
} from '../index.js';

const { LISTEN, LOG, DETACHED, INPUT, RECORD } = SUPERVISE;
type Supervise = Extract<Op, { op: 'supervise' }>;

const openDirectory = (at: ScratchDirectory): Op => ({
  op: 'openat',
  dirfd: AT_FDCWD,
  pathname: at.path,
  flags: O.PATH | O.DIRECTORY | O.CLOEXEC,
  mode: 0,
  out: 5,
});
const supervise = (flags: number, more: Partial<Supervise> = {}): Op => ({
  op: 'supervise',
  dirfd: 5,
  flags,
  log_size: 0,
  log_files: 1,
  restart: RESTART.no,
  restart_limit: 0,
  events: -1,
  attributes: '"word":"attribute"',
  detach_keys: '',
  ...more,
});
const sh = (script: string): Op => ({ op: 'execve', pathname: '/bin/sh', argv: ['sh', '-c', script], envp: ['PATH=/usr/bin:/bin:/usr/sbin:/sbin'] });
const program = (at: ScratchDirectory, flags: number, script: string, more: Partial<Supervise> = {}, before: Program = []): Program => [
  { op: 'setsid', ignore: ['EPERM'] },
  openDirectory(at),
  supervise(flags, more),
  { op: 'clone', flags: 0, monitor: 0, cgroup: -1, program: [...before, sh(script)] },
];

/** Start what goes on without us; resolves with the monitor's pid. */
async function detached(ops: Program): Promise<Running> {
  const running = start(ops, { stdio: ['ignore', 'ignore', 'ignore'] });
  if ((await running.started) === undefined) await running.result;
  running.release();
  return running;
}

const gone = (pid: number) => (): boolean => !existsSync(`/proc/${pid}`) || readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');

test('what killed a job is known even if the monitor sees all of it at once', async (context) => {
  requiresRoot(context);
  await using at = scratch();
  mkdirSync(at.join('pts'));
  spawnSync('mkfifo', [at.join('go')]);
  const running = start(
    [
      openDirectory(at),
      {
        op: 'clone',
        flags: CLONE.NEWPID | CLONE.NEWNS,
        monitor: 0,
        cgroup: -1,
        program: [
          ...ownMountNamespace().filter((op) => op.op === 'mount'),
          { op: 'mount', source: 'devpts', target: at.join('pts'), filesystemtype: 'devpts', mountflags: 0, data: 'newinstance,ptmxmode=666' },
          // Blocks until the test writes.
          { op: 'openat', dirfd: AT_FDCWD, pathname: at.join('go'), flags: O.RDONLY | O.CLOEXEC, mode: 0, out: 6 },
          { op: 'openat', dirfd: AT_FDCWD, pathname: at.join('pts'), flags: O.PATH | O.DIRECTORY | O.CLOEXEC, mode: 0, out: 7 },
          // The terminal's descriptor goes to the monitor before that of the job.
          { op: 'pty', dirfd: 7, rows: 0, columns: 0, owner: 0, group: 0, out: 8, master: -1 },
          { op: 'init', job: 1 },
          sh('kill -KILL $$'),
        ],
      },
    ],
    { stdio: ['ignore', 'ignore', 'ignore'] },
  );
  const monitor = running.pid;
  const child = (): string => readFileSync(`/proc/${monitor}/task/${monitor}/children`, 'utf8').trim();
  try {
    await until(() => /^\d+$/.test(child()));
    process.kill(monitor, 'SIGSTOP');
    const pid = Number(child());
    writeFileSync(at.join('go'), '');
    await until(gone(pid));
  } finally {
    process.kill(monitor, 'SIGCONT');
  }
  const { exited } = await running.result;
  expect(exited).toEqual({ status: 137, signal: 9 });
});

/** What a log says was written, byte by byte, by stream. */
function written(at: ScratchDirectory, stream: string): string {
  const files = readdirSync(at.path)
    .filter((name) => /^log(\.\d)?$/.test(name))
    .sort()
    .reverse();
  const order = files.includes('log') ? [...files.filter((name) => name !== 'log'), 'log'] : files;
  let text = '';
  for (const file of order)
    for (const line of readFileSync(at.join(file), 'latin1').split('\n').slice(0, -1)) {
      const match = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z (stdout|stderr) ([FP]) (.*)$/s.exec(line);
      expect(match, `a line of the log: ${line}`).not.toBeNull();
      if (match?.[1] === stream) text += `${match[3]}${match[2] === 'F' ? '\n' : ''}`;
    }
  return text;
}

test('a detached monitor logs every byte, keeps records, and takes less than 300 KB', async (context) => {
  requiresProgram(context, 'sh');
  await using at = scratch();
  const running = await detached(
    program(
      at,
      DETACHED | LOG | LISTEN | RECORD,
      `printf 'no newline'; echo; printf 'bin\\001\\377\\n\\n'; echo wrong >&2; printf end; while [ ! -e ${at.join('go')} ]; do sleep 0.02; done; exit 7`,
    ),
  );
  const smaps = readFileSync(`/proc/${running.pid}/smaps_rollup`, 'utf8');
  expect(Number(/^Pss:\s+(\d+) kB/m.exec(smaps)?.[1])).toBeLessThan(300);
  await until(() => existsSync(at.join('log')) && readFileSync(at.join('log'), 'utf8').includes('end'));
  const state = JSON.parse(readFileSync(at.join('state'), 'utf8')) as Record<string, unknown>;
  expect(state).toMatchObject({ restarts: 0, word: 'attribute', pid: expect.any(Number) });
  expect(existsSync(at.join('exit'))).toBe(false);
  mkdirSync(at.join('go'));
  await until(gone(running.pid));
  expect(written(at, 'stdout')).toBe('no newline\nbin\u0001\u00ff\n\nend');
  expect(written(at, 'stderr')).toBe('wrong\n');
  const exit = JSON.parse(readFileSync(at.join('exit'), 'utf8')) as Record<string, number>;
  expect(exit).toMatchObject({ status: 7, signal: 0, started: state.started, startedNs: state.startedNs, word: 'attribute' });
  expect(exit.finished).toBeGreaterThanOrEqual(exit.started ?? Number.POSITIVE_INFINITY);
});

test('rotation keeps every line of the files it keeps', async (context) => {
  requiresProgram(context, 'sh');
  await using at = scratch();
  const running = await detached(
    program(at, DETACHED | LOG, 'i=0; while [ $i -lt 3000 ]; do echo "line $i"; i=$((i+1)); done', { log_size: 20_000, log_files: 4 }),
  );
  await until(gone(running.pid));
  const files = readdirSync(at.path).filter((name) => name.startsWith('log'));
  expect(files.length).toBe(4);
  for (const file of files) expect(statSync(at.join(file)).size).toBeLessThanOrEqual(20_000);
  const lines = written(at, 'stdout').split('\n').slice(0, -1);
  const first = Number(lines[0]?.slice(5));
  expect(lines).toEqual(Array.from({ length: 3000 - first }, (_, i) => `line ${first + i}`));
});

test('a restart policy starts it again, with growing pauses, as often as it says', async (context) => {
  requiresProgram(context, 'sh');
  await using at = scratch();
  const running = await detached(program(at, DETACHED | LOG | RECORD | LISTEN, 'echo life; exit 3', { restart: RESTART['on-failure'], restart_limit: 2 }));
  await until(gone(running.pid));
  expect(written(at, 'stdout')).toBe('life\nlife\nlife\n');
  expect(JSON.parse(readFileSync(at.join('exit'), 'utf8'))).toMatchObject({ status: 3, restarts: 2 });
  const content = await detached(program(at, DETACHED | RECORD | LISTEN, 'exit 0', { restart: RESTART['on-failure'] }));
  await until(gone(content.pid));
  expect(JSON.parse(readFileSync(at.join('exit'), 'utf8'))).toMatchObject({ status: 0, restarts: 0 });
});

test('who stops it, does not get it again, not even between two lives', async (context) => {
  requiresProgram(context, 'sh');
  await using at = scratch();
  const running = await detached(program(at, DETACHED | RECORD | LISTEN, 'exec sleep 100', { restart: RESTART.always }));
  using connection = await connect(at);
  await connection.order({ op: 'stop', signo: 15 });
  await until(gone(running.pid));
  expect(JSON.parse(readFileSync(at.join('exit'), 'utf8'))).toMatchObject({ status: 143, signal: 15 });
  const failing = await detached(program(at, DETACHED | RECORD | LISTEN, 'exit 1', { restart: RESTART.always }));
  await until(() => existsSync(at.join('exit')));
  using other = await connect(at);
  await other.order({ op: 'stop', signo: 15 });
  await until(gone(failing.pid));
});

async function connect(at: ScratchDirectory, onReply: (reply: Reply) => void = () => undefined): Promise<MonitorConnection> {
  let connection: MonitorConnection | undefined;
  await until(async () => {
    connection = await connectMonitor(at.path, onReply);
    return connection !== undefined;
  });
  return connection as MonitorConnection;
}

test('any number of clients see what is written, type, and hear of the end', async (context) => {
  requiresProgram(context, 'sh');
  await using at = scratch();
  const running = await detached(program(at, DETACHED | LOG | LISTEN | INPUT, 'exec cat'));
  const heard = ['', ''];
  const endings: unknown[] = [];
  const onReply = (i: number) => (reply: Reply) => {
    if (reply.kind === 'data') heard[i] += reply.data.toString();
    if (reply.kind === 'exited') endings.push(reply.status);
  };
  using one = await connect(at, onReply(0));
  using two = await connect(at, onReply(1));
  await one.order({ op: 'watch', output: 1 });
  await two.order({ op: 'watch', output: 1 });
  await one.order({ op: 'input', data: 'from one\n' });
  await until(() => heard.every((each) => each === 'from one\n'));
  await two.order({ op: 'input', data: 'from two\n' });
  await until(() => heard.every((each) => each === 'from one\nfrom two\n'));
  // Nonsense is the end of that conversation, and of nothing else.
  using bad = await connect(at);
  await bad.order({ op: 'input', data: Buffer.alloc(9000) });
  await bad.closed;
  await two.order({ op: 'end_input' });
  await Promise.all([one.closed, two.closed]);
  expect(endings).toEqual([0, 0]);
  await until(gone(running.pid));
  expect(written(at, 'stdout')).toBe('from one\nfrom two\n');
});

test('what is typed at once comes in order, and the end after it', async (context) => {
  requiresProgram(context, 'sh');
  await using at = scratch();
  const running = await detached(program(at, DETACHED | LOG | LISTEN | INPUT, 'sleep 0.1; wc -c'));
  using client = await connect(at);
  await Promise.all([...Array.from({ length: 40 }, () => client.order({ op: 'input', data: 'x'.repeat(4000) })), client.order({ op: 'end_input' })]);
  await client.closed;
  expect(written(at, 'stdout')).toBe('160000\n');
  await until(gone(running.pid));
});

test('a megabyte comes through to a slow client and the log, whole', async (context) => {
  requiresProgram(context, 'sh');
  requiresProgram(context, 'seq');
  await using at = scratch();
  const running = await detached(program(at, DETACHED | LOG | LISTEN | INPUT, 'read go; seq 1 150000'));
  const parts: Buffer[] = [];
  let ended = false;
  using client = await connect(at, (reply) => {
    if (reply.kind === 'data') parts.push(reply.data);
    if (reply.kind === 'exited') ended = true;
  });
  await client.order({ op: 'watch', output: 1 });
  await client.order({ op: 'input', data: 'go\n' });
  client.pause();
  await sleep(300);
  // It is held back, and so is what it writes into its log.
  expect(gone(running.pid)()).toBe(false);
  client.resume();
  await client.closed;
  const expected = Array.from({ length: 150_000 }, (_, i) => `${i + 1}\n`).join('');
  expect(Buffer.concat(parts).toString() === expected).toBe(true);
  expect(written(at, 'stdout') === expected).toBe(true);
  expect(ended).toBe(true);
  await until(gone(running.pid));
});

test('when its keys are typed the user goes and the process stays', async (context) => {
  requiresProgram(context, 'sh');
  await using at = scratch();
  const ops: Program = [
    { op: 'setsid', ignore: ['EPERM'] },
    openDirectory(at),
    supervise(LISTEN | RECORD, { detach_keys: '\u0010\u0011' }),
    { op: 'openat', dirfd: AT_FDCWD, pathname: '/dev/pts', flags: O.RDONLY | O.DIRECTORY | O.CLOEXEC, mode: 0, out: 6 },
    {
      op: 'clone',
      flags: 0,
      monitor: 4,
      cgroup: -1,
      program: [
        { op: 'pty', dirfd: 6, rows: 24, columns: 80, owner: process.getuid?.() ?? 0, group: process.getgid?.() ?? 0, out: 7, master: -1 },
        { op: 'setsid' },
        { op: 'ioctl', fd: 7, request: 0x540e, argument: 0, argp: null },
        ...[0, 1, 2].map((newfd): Op => ({ op: 'dup3', fd: 7, newfd, flags: 0 })),
        sh('stty -echo; while read line; do echo "got $line"; done'),
      ],
    },
  ];
  const replies: Reply[] = [];
  const running = start(ops, { stdio: ['pipe', 'pipe', 'inherit'], onReply: (reply) => replies.push(reply) });
  let seen = '';
  running.stdout?.on('data', (chunk: Buffer) => {
    seen += chunk;
  });
  expect(await running.started).toBeTypeOf('number');
  await sleep(100);
  running.stdin?.write('first \u0010second\n');
  await until(() => seen.includes('got first \u0010second'));
  running.stdin?.write('\u0010\u0011');
  await until(() => replies.some(({ kind }) => kind === 'detached'));
  running.release();
  let later = '';
  const endings: number[] = [];
  using client = await connect(at, (reply) => {
    if (reply.kind === 'data') later += reply.data.toString();
    if (reply.kind === 'exited') endings.push(reply.status);
  });
  await client.order({ op: 'watch', output: 1 });
  await client.order({ op: 'resize', rows: 30, columns: 90 });
  await client.order({ op: 'input', data: 'after\n' });
  await until(() => later.includes('got after'));
  await client.order({ op: 'stop', signo: 9 });
  await client.closed;
  expect(endings).toEqual([137]);
  await until(gone(running.pid));
});

test('the rest of a program comes with go, however long it is, and its failure is told by its op', async (context) => {
  requiresProgram(context, 'sh');
  await using at = scratch();
  const held = (): Running =>
    start([openDirectory(at), supervise(0), { op: 'clone', flags: 0, monitor: 0, cgroup: -1, program: [{ op: 'wait' }] }], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  const long = held();
  const padding = 'x'.repeat(100_000);
  long.control({
    op: 'go',
    program: [
      { op: 'umask', mask: 0 },
      { op: 'execve', pathname: '/bin/sh', argv: ['sh', '-c', `printf '%s' "$A$B" > ${at.join('long')}`], envp: [`A=${padding}`, `B=${padding}`, 'PATH=/bin'] },
    ],
  });
  expect((await long.result).exited).toEqual({ status: 0, signal: 0 });
  expect(statSync(at.join('long')).size).toBe(200_000);
  const failing = held();
  failing.control({
    op: 'go',
    program: [
      { op: 'umask', mask: 0 },
      { op: 'chdir', path: '/no/such' },
    ],
  });
  await expect(failing.result).rejects.toMatchObject({ syscall: 'chdir', code: 'ENOENT' });
});

test('what a dead process leaves of a detached monitor is nothing', async (context) => {
  requiresProgram(context, 'sh');
  await using at = scratch();
  const running = await detached(
    program(at, DETACHED | LOG | LISTEN | RECORD, 'sleep 100', {}, [{ op: 'prctl', option: 1, arg2: 9, arg3: 0, arg4: 0, arg5: 0 }]),
  );
  const { pid } = JSON.parse(readFileSync(at.join('state'), 'utf8')) as { pid: number };
  process.kill(running.pid, 'SIGKILL');
  await until(gone(running.pid));
  await until(gone(pid));
  expect(existsSync(path.join(at.path, 'exit'))).toBe(false);
});

test('a monitor that leaves says which its process was, and leaves it alone', async (context) => {
  requiresProgram(context, 'sh');
  await using at = scratch();
  let pid = 0;
  const program: Program = [
    {
      op: 'clone',
      flags: 0,
      monitor: 0,
      reply: true,
      program: [
        { op: 'close_range', first: 3, last: 0xffffffff, flags: 4 },
        {
          op: 'execve',
          pathname: '/bin/sh',
          argv: ['sh', '-c', `sleep 0.3; echo $$ > ${at.join('after')}`],
          envp: ['PATH=/bin:/usr/bin'],
        },
      ],
    },
  ];
  const running = start(program, {
    onReply: (reply) => {
      if (reply.kind === 'ok') pid = reply.value;
    },
  });
  expect(await running.started).toBe(pid);
  running.control({ op: 'leave' });
  expect(await running.result).not.toHaveProperty('exited');
  await until(() => existsSync(at.join('after')) && readFileSync(at.join('after'), 'utf8').endsWith('\n'));
  expect(Number(readFileSync(at.join('after'), 'utf8'))).toBe(pid);
});

test('a monitor that is to leave does not reap: the status of a process that has ended is for whoever adopts it', async (context) => {
  requiresProgram(context, 'sh');
  const python = requiresProgram(context, 'python3');
  await using at = scratch();
  // A subreaper, as engines have one, starts Node, which starts the monitor.
  const script = at.join('leave.mjs');
  writeFileSync(
    script,
    `import { MONITOR_LEAVES, start } from ${JSON.stringify(path.join(import.meta.dirname, '../../dist/index.js'))};
const running = start([{ op: 'clone', flags: 0, monitor: MONITOR_LEAVES, program: [{ op: 'close_range', first: 3, last: 0xffffffff, flags: 4 }, { op: 'execve', pathname: '/bin/sh', argv: ['sh', '-c', 'exit 42'], envp: [] }] }]);
await running.started;
await new Promise((resolve) => setTimeout(resolve, 200));
running.control({ op: 'leave' });
await running.result;
`,
  );
  const reaper = `import ctypes, os, subprocess, sys
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
child = subprocess.Popen(sys.argv[1:])
seen = []
while True:
    try: pid, status = os.wait()
    except ChildProcessError: break
    if pid != child.pid: seen.append(os.waitstatus_to_exitcode(status))
print(seen)`;
  expect(spawnSync(python, ['-c', reaper, process.execPath, script], { encoding: 'utf8' }).stdout.trim()).toBe('[42]');
});
