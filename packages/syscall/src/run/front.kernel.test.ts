import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type ScratchDirectory, scratch } from '@lamella-test/scratch';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { errnoName, type Op, type Program } from '../index.js';

const INDEX = path.join(import.meta.dirname, '../../dist/index.js');
let at: ScratchDirectory;
let explainer: string;

beforeAll(() => {
  at = scratch();
  explainer = at.join('explain.mjs');
  writeFileSync(
    explainer,
    `import { outcomeOf, readFrontReport } from ${JSON.stringify(INDEX)};
     const told = readFrontReport(process.argv[3]);
     const kinds = [];
     try {
       const { exited, releaseFailures } = await outcomeOf(told, ({ kind }) => kinds.push(kind));
       console.log(told.context, JSON.stringify(exited), releaseFailures.map(({ message }) => message).join());
     } catch (error) {
       console.log(told.context, error.code, error.message);
     }
     process.exit(77);`,
  );
});
afterAll(() => at[Symbol.asyncDispose]());

/** A Node that becomes the front of a program. */
function becoming(program: Program, stdin = false): [string, string[]] {
  const options = `{ title: 'a front', stdin: ${stdin}, explainer: [${JSON.stringify(explainer)}, 'told'], context: 'context', onLast: () => console.log('last') }`;
  return [
    process.execPath,
    [
      '--input-type=module',
      '-e',
      `import { becomeFront } from ${JSON.stringify(INDEX)}; becomeFront(${JSON.stringify(program)}, ${options}); console.log('still here');`,
    ],
  ];
}

function shell(script: string, before: Op[] = []): Program {
  return [
    ...before,
    { op: 'clone', flags: 0, monitor: 0, program: [{ op: 'execve', pathname: '/bin/sh', argv: ['sh', '-c', script], envp: ['PATH=/usr/bin:/bin'] }] },
  ];
}

function run(program: Program, stdin = false): { status: number | null; stdout: string; stderr: string } {
  const [file, args] = becoming(program, stdin);
  const { status, stdout, stderr } = spawnSync(file, args, { encoding: 'utf8', input: 'typed' });
  return { status, stdout, stderr };
}

test('it ends as the process does, with its output, and with its input where that was asked for', () => {
  expect(run(shell('echo out; echo err >&2; exit 7'))).toEqual({ status: 7, stdout: 'last\nout\n', stderr: 'err\n' });
  expect(run(shell('kill -9 $$'))).toMatchObject({ status: 137 });
  expect(run(shell('cat'), true).stdout).toBe('last\ntyped');
  expect(run(shell('cat; echo; env; pwd')).stdout).toBe(`last\n\n${readEnvironment()}/\n`);
  // Node ignores SIGPIPE; the process does not.
  expect(run(shell('grep SigIgn /proc/self/status; grep SigBlk /proc/self/status')).stdout).toMatch(/SigIgn:\s0{16}\nSigBlk:\s0{16}\n/);
});

/** What sh(1) makes of an environment with a PATH alone. */
function readEnvironment(): string {
  return spawnSync('/bin/sh', ['-c', 'env'], { encoding: 'utf8', env: { PATH: '/usr/bin:/bin' }, cwd: '/' }).stdout;
}

test('what fails is explained by Node, with all that was replied', () => {
  const missing: Op = { op: 'mkdirat', dirfd: -100, pathname: '/no/such/place', mode: 0o755 };
  expect(run(shell('true', [missing]))).toMatchObject({ status: 77, stdout: expect.stringMatching(/^last\ncontext ENOENT .*mkdirat.*\/no\/such\/place/) });
  const inside: Program = [{ op: 'clone', flags: 0, monitor: 0, program: [{ ...missing, ignore: [errnoName(2)] }, missing] }];
  expect(run(inside)).toMatchObject({ status: 77, stdout: expect.stringMatching(/ENOENT/) });
  const release: Op = { op: 'on_exit', program: [missing] };
  expect(run(shell('exit 5', [release]))).toMatchObject({ status: 77, stdout: expect.stringMatching(/context \{"status":5,"signal":0\} .*mkdirat/) });
});

test('signals reach the process, the third request kills it, and nothing of Node is left meanwhile', async () => {
  const script = 'trap "echo got it" TERM; trap : INT; trap "echo user" USR1; echo ready; while :; do sleep 0.05; done';
  const [file, args] = becoming(shell(script));
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => (output += data.toString()));
  const until = async (text: string): Promise<void> => {
    while (!output.includes(text)) await once(child.stdout, 'data');
  };
  await until('ready');
  expect(readlinkSync(`/proc/${child.pid}/exe`)).toMatch(/^\/memfd:lamella-init/);
  expect(readFileSync(`/proc/${child.pid}/comm`, 'utf8')).toBe('lamella\n');
  expect(Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1])).toBeLessThan(1000);
  child.kill('SIGUSR1');
  await until('user');
  child.kill('SIGTERM');
  await until('got it');
  child.kill('SIGINT');
  child.kill('SIGTERM');
  const [status] = (await once(child, 'close')) as [number];
  expect(status).toBe(137);
  expect(output).toContain('third signal: killing the container');
});

test('when it is killed, the process goes, too', async () => {
  const [file, args] = becoming(shell('echo $$; exec sleep 1000'));
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.on('data', (data: Buffer) => (output += data.toString()));
  while (!/last\n\d+\n/.test(output)) await once(child.stdout, 'data');
  child.kill('SIGKILL');
  // The pipe is at its end when nobody has it any more.
  await once(child, 'close');
  expect(() => process.kill(Number(/last\n(\d+)/.exec(output)?.[1]), 0)).toThrow('ESRCH');
});

test('where it is not possible this process goes on', () => {
  const long: Program = [{ op: 'write_file', dirfd: -100, pathname: '/dev/null', flags: 1, mode: 0, data: 'x'.repeat(100_000) }];
  for (const program of [[...long, ...shell('true')], [{ op: 'umask', mask: 0o22 }]] as Program[])
    expect(run(program)).toMatchObject({ status: 0, stdout: 'still here\n' });
});
