import type { Readable } from 'node:stream';

/** Does what reads a stream; when that fails, perhaps before it began to read, nobody is left to wait for the rest, and the stream is destroyed. */
export async function destroyOnFailure<Result>(source: Readable, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    // Its own error would have no listener.
    source.on('error', () => undefined);
    source.destroy();
    throw error;
  }
}
