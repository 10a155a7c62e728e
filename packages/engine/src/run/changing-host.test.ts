import { Readable, Writable } from 'node:stream';
import { SyscallError } from '@lamella/syscall';
import { describe, expect, test } from 'vitest';
import { EngineError } from '../model/engine-error.js';
import { isRepeatable, mayHaveChanged } from './changing-host.js';

const failed = (op: object, code: string): SyscallError => Object.assign(Object.create(SyscallError.prototype), { op, code });

describe('a start that failed in a view of the host', () => {
  test('is repeated when a mount or a name can have changed', () => {
    expect(mayHaveChanged(failed({ op: 'move_mount' }, 'EINVAL'))).toBe(true);
    expect(mayHaveChanged(failed({ op: 'fsconfig' }, 'ENOENT'))).toBe(true);
    expect(mayHaveChanged(new EngineError({ code: 'VOLUME_MOVED', message: 'moved', hint: '' }))).toBe(true);
  });

  test('is not repeated when the command, the disk or the user is the reason', () => {
    expect(mayHaveChanged(failed({ op: 'execve' }, 'ENOENT'))).toBe(false);
    expect(mayHaveChanged(failed({ op: 'mkdirat' }, 'ENOSPC'))).toBe(false);
    expect(mayHaveChanged(new EngineError({ code: 'CONTAINER_RUNNING', message: 'running', hint: '' }))).toBe(false);
    expect(mayHaveChanged(new Error('anything else'))).toBe(false);
  });
});

test.each<[boolean, object]>([
  [true, {}],
  [true, { stdio: 'inherit' }],
  [true, { stdin: 0, stdout: 'pipe', stderr: ['inherit', { file: '/tmp/x' }] }],
  [true, { input: 'text' }],
  [true, { input: Buffer.from('bytes') }],
  [true, { stdout: new URL('file:///tmp/x') }],
  [false, { input: Readable.from(['text']) }],
  [false, { stdin: [new Uint8Array(1), ['a', 'b'].values()] }],
  [false, { stdout: new Writable() }],
  [false, { stdio: ['ignore', 'pipe', new WritableStream()] }],
])('whether it can be repeated is %s with the options %o', (isPossible, options) => {
  expect(isRepeatable(options)).toBe(isPossible);
});
