import { writeSync } from 'node:fs';

/** How long to wait for a full pipe that is non-blocking, in milliseconds. */
const PAUSE = 2;

/**
 * Writes all content to a descriptor before it returns, also if the descriptor is non-blocking.
 *
 * @throws {NodeJS.ErrnoException} the error of write(2)
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

/** Returns whether a failed write may succeed later. */
export function isTransient(error: unknown): boolean {
  return ['EAGAIN', 'EINTR'].includes((error as NodeJS.ErrnoException).code ?? '');
}
