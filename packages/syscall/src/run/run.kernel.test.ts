import { expect, test } from 'vitest';
import { run, SyscallError } from '../index.js';

test('a program that clones reports how its process ended', async () => {
  const result = await run([
    { op: 'clone', flags: 0, monitor: 0, cgroup: -1, program: [{ op: 'execve', pathname: '/bin/sh', argv: ['sh', '-c', 'exit 7'], envp: [] }] },
  ]);
  expect(result.exited).toEqual({ status: 7, signal: 0 });
});

test('a failed op rejects with its index, errno and arguments', async () => {
  const error = await run([
    { op: 'umask', mask: 0o22 },
    { op: 'chdir', path: '/no/such/directory' },
  ]).catch((problem: unknown) => problem);
  expect(error).toBeInstanceOf(SyscallError);
  expect(error).toMatchObject({ syscall: 'chdir', code: 'ENOENT', index: 1, args: { path: '/no/such/directory' } });
});
