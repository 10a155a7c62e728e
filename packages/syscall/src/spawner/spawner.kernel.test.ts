import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { requiresRoot, scratch, until } from '@lamella-test/scratch';
import { beforeAll, describe, expect, test } from 'vitest';
import { CLONE, type Op, type Program, type ProgramError, type Running, start } from '../index.js';
import { readySpawner } from './spawner.js';

const sh = (script: string): Op => ({ op: 'execve', pathname: '/bin/sh', argv: ['sh', '-c', script], envp: ['PATH=/usr/bin:/bin:/usr/sbin:/sbin'] });
const cloned = (...program: Program): Program => [{ op: 'clone', flags: 0, monitor: 0, cgroup: -1, program }];
const PIPES = ['pipe', 'pipe', 'pipe'] as const;
const NONE = ['ignore', 'ignore', 'ignore'] as const;

async function useSpawner(): Promise<void> {
  for (let i = 0; i < 200 && !readySpawner(); i++) {
    await start(cloned(sh('exit 0')), { stdio: NONE, spawner: true }).result;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  expect(readySpawner()).toBeDefined();
}

const isGone = (pid: number): boolean => !existsSync(`/proc/${pid}`) || readFileSync(`/proc/${pid}/stat`, 'latin1').includes(') Z ');
const childrenOf = (pid: number): number[] =>
  readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'latin1').trim().split(' ').filter(Boolean).map(Number),
  );
const isSpawner = (pid: number): boolean => readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0')[1] === 'spawner';
const ownSpawner = (): number | undefined => childrenOf(process.pid).find((pid) => !isGone(pid) && isSpawner(pid));
const descriptors = (): string[] =>
  readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)];
    } catch {
      return [];
    }
  });

async function everythingOf(running: Running, drive: (stdin: Writable) => void = (stdin) => stdin.end()): Promise<unknown> {
  running.stdin?.on('error', () => undefined);
  drive(running.stdin as Writable);
  const [stdout, stderr, result] = await Promise.all([
    buffer(running.stdout as Readable),
    buffer(running.stderr as Readable),
    running.result.catch((error: unknown) => error),
  ]);
  const ended =
    result instanceof Error
      ? { name: result.name, message: result.message, code: (result as ProgramError).code }
      : { ...(result as object), values: [...(result as { values: Map<number, number> }).values] };
  return { stdout: stdout.toString('latin1'), stderr: stderr.toString('latin1'), ended };
}

interface Case {
  readonly name: string;
  readonly program: Program;
  readonly drive?: (stdin: Writable) => void;
}

const CASES: readonly Case[] = [
  { name: 'exit statuses', program: cloned(sh('echo out; echo err >&2; exit 7')) },
  { name: 'signals', program: cloned(sh('kill -TERM $$')) },
  { name: 'a failed op', program: cloned({ op: 'chdir', path: '/no/such/directory' }, sh('true')) },
  { name: 'a failed op before the clone', program: [{ op: 'chdir', path: '/no/such/directory' }, ...cloned(sh('true'))] },
  { name: 'ignored errors', program: cloned({ op: 'chdir', path: '/no/such/directory', ignore: ['ENOENT'] }, sh('pwd')) },
  { name: 'replies', program: [{ op: 'umask', mask: 0o27, reply: true }, ...cloned(sh('umask'))] },
  { name: 'a failed op of the exit program', program: [{ op: 'on_exit', program: [{ op: 'chdir', path: '/none' }] }, ...cloned(sh('true'))] },
  { name: 'input and its end', program: cloned(sh('cat; echo end')), drive: (stdin) => stdin.end('a'.repeat(300_000)) },
  { name: 'a reader that has gone', program: cloned(sh('exec <&-; echo closed; sleep 0.1; echo late')), drive: (stdin) => stdin.write('x'.repeat(500_000)) },
  { name: 'output that is closed first', program: cloned(sh('exec >&-; echo rest >&2; cat >&2')), drive: (stdin) => setTimeout(() => stdin.end('in'), 50) },
  { name: 'much output', program: cloned(sh('head -c 3000000 /dev/zero; head -c 300000 /dev/zero >&2')) },
  { name: 'sockets as stdio', program: cloned(sh('for i in 0 1 2; do readlink /proc/self/fd/$i | cut -d: -f1; done')) },
  { name: 'open descriptors', program: cloned({ op: 'execve', pathname: '/bin/ls', argv: ['ls', '/proc/self/fd'], envp: [] }) },
  { name: 'directory, environment, session', program: cloned(sh('pwd; env | sort; cut -d" " -f5,6 /proc/$$/stat')) },
  {
    name: 'ids, umask, capabilities, signals',
    program: cloned(sh('exec grep -E "^(Umask|Uid|Gid|Groups|Cap|SigBlk|SigIgn|NoNew|Seccomp)" /proc/self/status')),
  },
  {
    name: 'limits and priority',
    program: cloned(sh('cat /proc/$$/limits /proc/$$/oom_score_adj; nice; cat /proc/$$/cgroup; grep Cpus_allowed /proc/$$/status')),
  },
  {
    name: 'the name and words of the monitor',
    program: cloned(sh('cat /proc/$PPID/comm; xargs -0 -n1 echo </proc/$PPID/cmdline | grep .; tr "\\0" , </proc/$PPID/environ')),
  },
  { name: 'the executable of the monitor', program: cloned(sh('readlink /proc/$PPID/exe')) },
  { name: 'what the monitor holds', program: cloned(sh('sleep 0.05; ls /proc/$PPID/fd | wc -l')) },
];

describe('a spawner', () => {
  beforeAll(useSpawner);

  test.each(CASES)('makes no difference: $name', async ({ program, drive }) => {
    const byChild = await everythingOf(start(program, { stdio: PIPES }), drive);
    expect(readySpawner()).toBeDefined();
    const running = start(program, { stdio: PIPES, spawner: true });
    expect(running.pid).toBe(-1);
    expect(await everythingOf(running, drive)).toEqual(byChild);
  });

  test('holds a process back whose output nobody reads', async () => {
    const running = start(cloned(sh('head -c 10000000 /dev/zero; echo done >&2')), { stdio: ['ignore', 'pipe', 'pipe'], spawner: true });
    const said = buffer(running.stderr as Readable);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(running.stdout?.readableLength).toBeLessThan(1_000_000);
    expect((await buffer(running.stdout as Readable)).length).toBe(10_000_000);
    await running.result;
    expect((await said).toString()).toBe('done\n');
  });

  test('carries orders, and stops what is aborted', async () => {
    const running = start(cloned(sh('trap "echo got; exit 3" TERM; echo ready; while :; do sleep 0.01; done')), { stdio: PIPES, spawner: true });
    await once(running.stdout as Readable, 'data');
    running.control({ op: 'signal', signo: 15 });
    expect((await running.result).exited).toEqual({ status: 3, signal: 0 });
    const abort = new AbortController();
    const aborted = start(cloned(sh('echo ready; exec sleep 100')), { stdio: PIPES, spawner: true, signal: abort.signal });
    await once(aborted.stdout as Readable, 'data');
    const pid = (await aborted.started) ?? 0;
    abort.abort(new Error('enough'));
    await expect(aborted.result).rejects.toThrow('enough');
    expect(isGone(pid)).toBe(true);
  });

  test('reports a monitor that was killed', async () => {
    const running = start(cloned({ op: 'prctl', option: 1, arg2: 9, arg3: 0, arg4: 0, arg5: 0 }, sh('echo $PPID; exec sleep 100')), {
      stdio: PIPES,
      spawner: true,
    });
    const [line] = (await once(running.stdout as Readable, 'data')) as [Buffer];
    process.kill(Number(line), 'SIGKILL');
    await expect(running.result).rejects.toMatchObject({ code: 'INIT_DIED', message: 'the monitor was killed by SIGKILL' });
  });

  test('passes on what changed in this process since it was started', async () => {
    const limit = (value: string): void => void spawnSync('prlimit', ['--pid', String(process.pid), `--core=${value}`]);
    const before = readFileSync('/proc/self/oom_score_adj', 'latin1').trim();
    const program = cloned(sh('ulimit -c; cat /proc/self/oom_score_adj; umask'));
    // Worker threads cannot set the umask.
    const umask = ((): number | undefined => {
      try {
        return process.umask(0o31);
      } catch {
        return undefined;
      }
    })();
    limit('4096:4096');
    writeFileSync('/proc/self/oom_score_adj', '321');
    try {
      const byChild = await everythingOf(start(program, { stdio: PIPES }));
      expect(byChild).toMatchObject({ stdout: expect.stringMatching(/^8\n321\n/) });
      expect(readySpawner()).toBeDefined();
      expect(await everythingOf(start(program, { stdio: PIPES, spawner: true }))).toEqual(byChild);
    } finally {
      if (umask !== undefined) process.umask(umask);
      if (process.geteuid?.() === 0) writeFileSync('/proc/self/oom_score_adj', before);
    }
  });

  test('is replaced after it was killed, and what it made goes on', async () => {
    const running = start(cloned(sh('read line; echo "$line"; exit 5')), { stdio: PIPES, spawner: true });
    await running.started;
    const killed = ownSpawner() ?? 0;
    process.kill(killed, 'SIGKILL');
    await until(() => isGone(killed));
    // Nobody has told this process yet.
    const next = start(cloned(sh('exit 6')), { stdio: NONE, spawner: true });
    expect((await next.result).exited).toEqual({ status: 6, signal: 0 });
    running.stdin?.write('went on\n');
    expect((await running.result).exited).toEqual({ status: 5, signal: 0 });
    await useSpawner();
    expect(ownSpawner()).not.toBe(killed);
  });

  test('gives each process a network namespace that nobody else has', async (context) => {
    requiresRoot(context);
    // Each waits for its input, so that all of them live at once.
    const script = 'echo "$(readlink /proc/self/ns/net; cat /proc/net/dev /proc/net/route; sleep 0.1; ls /proc/$PPID/fd | wc -l)"; read line';
    const program: Program = [{ op: 'clone', flags: CLONE.NEWNET, monitor: 0, cgroup: -1, program: [sh(script)] }];
    const states = async (count: number, spawner: boolean): Promise<string[]> => {
      const all = Array.from({ length: count }, () => start(program, { stdio: PIPES, spawner }));
      const said = await Promise.all(all.map(async ({ stdout }) => ((await once(stdout as Readable, 'data')) as [Buffer])[0].toString()));
      const rest = all.map(({ stdout }) => buffer(stdout as Readable));
      for (const { stdin, stderr } of all) {
        stdin?.end('\n');
        stderr?.resume();
      }
      await Promise.all(all.map(({ result }) => result));
      return Promise.all(rest.map(async (each, i) => said[i] + (await each).toString()));
    };
    const split = (state: string | undefined = ''): [string, string] => [state.slice(0, state.indexOf('\n')), state.slice(state.indexOf('\n'))];
    const [byChild] = await states(1, false);
    const own = readlinkSync('/proc/self/ns/net');
    for (let i = 0; i < 12; i++) {
      // Some of them find one that was made ahead, others come too early.
      const all = (await states(1 + (i % 3), true)).map(split);
      expect(new Set([own, ...all.map(([namespace]) => namespace)]).size).toBe(all.length + 1);
      for (const [, state] of all) expect(state).toBe(split(byChild)[1]);
      await new Promise((resolve) => setTimeout(resolve, 3 * (i % 4)));
    }
  });

  test('leaves no process and no descriptor', async () => {
    const at = descriptors().filter((each) => !each.startsWith('anon_inode')).length;
    await Promise.all(
      Array.from({ length: 50 }, () => start(cloned(sh('exit 0')), { stdio: ['pipe', 'pipe', 'pipe'], spawner: true })).map(async (running) => {
        running.stdin?.destroy();
        running.stdout?.resume();
        running.stderr?.resume();
        await running.result;
      }),
    );
    const spawner = ownSpawner() ?? 0;
    await until(() => childrenOf(spawner).length === 0);
    await until(() => descriptors().filter((each) => !each.startsWith('anon_inode')).length <= at);
    expect(readdirSync(`/proc/${spawner}/fd`).length).toBeLessThanOrEqual(8);
  });

  test('makes a thousand interpreters at once', async () => {
    const all = Array.from({ length: 1000 }, (_, i) => start(cloned(sh(`read line; exit ${i % 200}`)), { stdio: ['pipe', 'ignore', 'ignore'], spawner: true }));
    await Promise.all(all.map((running) => running.started));
    for (const running of all) running.stdin?.end('\n');
    const ends = await Promise.all(all.map((running) => running.result));
    expect(ends.map(({ exited }) => exited?.status)).toEqual(all.map((_, i) => i % 200));
    await until(() => childrenOf(ownSpawner() ?? 0).length === 0);
  });
});

const SCRIPT = `import { start } from ${JSON.stringify(path.join(import.meta.dirname, '../../dist/index.js'))};
const sh = (script) => [{ op: 'clone', flags: 0, monitor: 0, cgroup: -1, program: [{ op: 'prctl', option: 1, arg2: 9, arg3: 0, arg4: 0, arg5: 0 }, { op: 'execve', pathname: '/bin/sh', argv: ['sh', '-c', script], envp: ['PATH=/usr/bin:/bin'] }] }];
const once = async (script = 'exit 0', stdio = ['ignore', 'ignore', 'ignore']) => { const running = start(sh(script), { stdio, spawner: true }); await running.started; return running; };
const warm = async () => { for (let i = 0; i < 100; i++) { const running = await once(); await running.result; if (running.pid < 0) return; await new Promise((resolve) => setTimeout(resolve, 10)); } process.exit(9); };
await warm();
`;

describe('with a spawner', () => {
  const nodeWith = (file: string, rest: string): ReturnType<typeof spawn> => {
    writeFileSync(file, SCRIPT + rest);
    return spawn(process.execPath, [file], { stdio: ['ignore', 'pipe', 'inherit'] });
  };

  test('an idle Node ends by itself', async () => {
    await using at = scratch();
    const node = nodeWith(at.join('idle.mjs'), '');
    expect(await once(node, 'exit')).toEqual([0, null]);
  });

  test('a Node waits for a run that lives', async () => {
    await using at = scratch();
    const node = nodeWith(at.join('waits.mjs'), `(await once('sleep 0.3; exit 4')).result.then(({ exited }) => process.stdout.write(String(exited.status)));`);
    const said = buffer(node.stdout as Readable);
    expect(await once(node, 'exit')).toEqual([0, null]);
    expect((await said).toString()).toBe('4');
  });

  test('a worker thread has its own', async () => {
    await using at = scratch();
    writeFileSync(at.join('worker.mjs'), `${SCRIPT}process.stdout.write('worker');`);
    const node = nodeWith(at.join('main.mjs'), `import { Worker } from 'node:worker_threads'; new Worker(${JSON.stringify(at.join('worker.mjs'))});`);
    const said = buffer(node.stdout as Readable);
    expect(await once(node, 'exit')).toEqual([0, null]);
    expect((await said).toString()).toBe('worker');
  });

  test('what it starts has the groups that Node has now', async (context) => {
    requiresRoot(context);
    await using at = scratch();
    const node = nodeWith(
      at.join('groups.mjs'),
      `const groups = async () => {
  const running = await once('exec grep Groups: /proc/self/status', ['ignore', 'pipe', 'ignore']);
  const chunks = await running.stdout.toArray();
  await running.result;
  console.log(running.pid < 0, Buffer.concat(chunks).toString().split(/\\s+/)[1]);
};
process.setgroups([4242]);
await groups();
await warm();
await groups();
process.setgroups([4343]);
await groups();`,
    );
    const said = buffer(node.stdout as Readable);
    expect(await once(node, 'exit')).toEqual([0, null]);
    expect((await said).toString()).toBe('false 4242\ntrue 4242\nfalse 4343\n');
  });

  const TELLS = `const running = await once('exec sleep 1000', ['pipe', 'pipe', 'pipe']);
console.log(process.pid, await running.started);
`;
  test.each([
    ['process.exit', 'setTimeout(() => process.exit(3), 100);', () => undefined],
    ['kill -9 of Node', 'setInterval(() => undefined, 1000);', (node: number) => process.kill(node, 'SIGKILL')],
    [
      'kill -9 of both',
      'setInterval(() => undefined, 1000);',
      (node: number, spawner: number) => {
        process.kill(spawner, 'SIGKILL');
        process.kill(node, 'SIGKILL');
      },
    ],
    [
      'kill -9 of the spawner, then of Node',
      'setInterval(() => undefined, 1000);',
      async (node: number, spawner: number) => {
        process.kill(spawner, 'SIGKILL');
        await until(() => isGone(spawner));
        process.kill(node, 'SIGKILL');
      },
    ],
  ] as const)('nothing is left after %s', async (_, rest, end) => {
    await using at = scratch();
    const node = nodeWith(at.join('left.mjs'), TELLS + rest);
    const [line] = (await once(node.stdout as Readable, 'data')) as [Buffer];
    const [pid, command] = line.toString().split(' ').map(Number) as [number, number];
    const spawner = childrenOf(pid).find(isSpawner) ?? 0;
    const monitors = childrenOf(spawner);
    expect(monitors).toHaveLength(1);
    const exited = once(node, 'exit');
    await end(pid, spawner);
    await exited;
    await until(() => [spawner, command, ...monitors].every(isGone));
  });
});
