import { writeSync } from 'node:fs';

/** How long to wait for a pipe that is full and does not block. Milliseconds. */
const PAUSE = 2;

/**
 * Writes all of something to a descriptor before it returns, also where somebody made it non-blocking.
 *
 * @throws {NodeJS.ErrnoException} what write(2) said
 */
export function writeAll(fd: number, content: string | Uint8Array): void {
  let rest = typeof content === 'string' ? Buffer.from(content) : content;
  while (rest.length)
    try {
      rest = rest.subarray(writeSync(fd, rest));
    } catch (error) {
      if (!isTransient(error)) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE);
    }
}

/** Whether a write may work a little later. */
export function isTransient(error: unknown): boolean {
  return ['EAGAIN', 'EINTR'].includes((error as NodeJS.ErrnoException).code ?? '');
}
