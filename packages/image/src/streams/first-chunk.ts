import type { Readable } from 'node:stream';

/** So many bytes tell every compression from the others. */
const ENOUGH = 6;

/**
 * The first bytes of a stream (as many as tell how it is compressed, unless it is shorter), and the
 * whole of it still.
 */
export async function firstChunk(source: Readable): Promise<{ readonly chunk: Buffer; readonly all: AsyncIterable<Buffer> }> {
  const iterator = source[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let chunk: Buffer = Buffer.alloc(0);
  while (chunk.length < ENOUGH) {
    const next = await iterator.next();
    if (next.done) break;
    chunk = chunk.length ? Buffer.concat([chunk, next.value]) : next.value;
  }
  const all = async function* (): AsyncGenerator<Buffer> {
    if (chunk.length) yield chunk;
    for (let next = await iterator.next(); !next.done; next = await iterator.next()) yield next.value;
  };
  return { chunk, all: all() };
}
