import { expect, test } from 'vitest';
import { processEndOf } from './process-end.js';

test.for([
  [
    { status: 0, signal: 0 },
    { exitCode: 0, signal: undefined },
  ],
  [
    { status: 137, signal: 0 },
    { exitCode: 137, signal: undefined },
  ],
  [
    { status: 137, signal: 9 },
    { exitCode: undefined, signal: 'SIGKILL' },
  ],
  [
    { status: 164, signal: 36 },
    { exitCode: undefined, signal: 'SIGRTMIN+2' },
  ],
] as const)('a process that ended with %o is told as %o', ([exited, end]) => expect(processEndOf(exited)).toEqual(end));
