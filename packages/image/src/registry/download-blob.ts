import { PassThrough, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createBrotliDecompress, createGunzip, createInflate, createZstdDecompress, gunzipSync } from 'node:zlib';
import { ImageError } from '../model/image-error.js';
import type { OciDescriptor } from '../store/oci-schema.js';
import { type Answer, brokenCoding, codingsOf, headerOf, looksEncoded, unknownCoding } from './answer.js';
import { isHopeless, pauseBefore } from './patience.js';
import type { RegistryClient } from './registry-client.js';

/** How often a blob that breaks off is taken up again where it did, without any byte in between. */
const RESUMES = 5;

/** The bytes of a blob. Where the connection breaks they go on from there (RFC 9110, 14). */
export async function* downloadBlob(client: RegistryClient, descriptor: OciDescriptor, signal: AbortSignal | undefined): AsyncGenerator<Buffer> {
  const { digest, size } = descriptor;
  const path = `blobs/${digest}`;
  let got = 0;
  // Ranges count the bytes that are sent, and mean nothing to us where they are coded; some servers cannot do them at all.
  let byRange = true;
  for (let stuck = 0; ; ) {
    const before = got;
    const asked = byRange && got > 0;
    let failure: unknown;
    try {
      const answer = await client.ask(path, { ...(asked ? { headers: { range: `bytes=${got}-` }, accept: [416] } : {}) });
      const begin = beginOf(answer, got);
      if (begin === undefined) {
        await answer.body.dump();
        if (lengthIn416(answer) === got) throw tooShort(client, descriptor, got);
        byRange = false;
      } else {
        const { body, coded } = await uncoded(answer, descriptor, client.domain, begin > 0);
        if (coded) byRange = false;
        let skip = got - begin;
        for await (const chunk of body as AsyncIterable<Buffer>) {
          signal?.throwIfAborted();
          const rest = skip >= chunk.length ? undefined : skip ? chunk.subarray(skip) : chunk;
          skip = Math.max(0, skip - chunk.length);
          if (!rest) continue;
          got += rest.length;
          yield rest;
        }
        // All came that was announced: it was not cut off.
        if (!coded && got < size && begin + Number(headerOf(answer, 'content-length') ?? NaN) === got) throw tooShort(client, descriptor, got);
      }
    } catch (error) {
      signal?.throwIfAborted();
      if (isHopeless(error)) throw error;
      failure = error;
    }
    // More than promised is for the reader to refuse; less may just have been cut off.
    if (got >= size) return;
    if (got > before) stuck = 0;
    else if (++stuck >= RESUMES)
      throw new ImageError({
        code: 'REGISTRY_INTERRUPTED',
        message: `the blob ${digest} breaks off after ${got} of ${size} bytes, again and again`,
        hint: 'Try again: the layers that have arrived are kept.',
        cause: failure,
      });
    await pauseBefore(Math.max(1, stuck), signal);
  }
}

function tooShort({ domain }: RegistryClient, { digest, size }: OciDescriptor, got: number): ImageError {
  return new ImageError({
    code: 'SIZE_MISMATCH',
    message: `${domain} has only ${got} of the ${size} bytes of ${digest}`,
    hint: 'The registry is damaged; push the image again.',
  });
}

/** Where in the blob an answer begins; undefined if it contains nothing useful. */
function beginOf(answer: Answer, got: number): number | undefined {
  if (answer.status === 416) return undefined;
  if (answer.status !== 206) return 0;
  const begin = /^bytes (\d+)-/i.exec(headerOf(answer, 'content-range')?.trim() ?? '')?.[1];
  // An answer without a Content-Range is taken for the range that was asked for.
  if (begin === undefined) return got;
  return Number(begin) <= got ? Number(begin) : undefined;
}

/** How much a server has that refuses a range. */
function lengthIn416(answer: Answer): number | undefined {
  const length = /^bytes \*\/(\d+)$/i.exec(headerOf(answer, 'content-range')?.trim() ?? '')?.[1];
  return answer.status === 416 && length !== undefined ? Number(length) : undefined;
}

const DECODERS: Readonly<Record<string, () => NodeJS.ReadWriteStream>> = {
  gzip: createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
  zstd: createZstdDecompress,
};

/**
 * Undoes the coding that was put around a blob on its way. Not every Content-Encoding is one: storage often says `gzip` of a
 * layer that is gzip itself. Then its length is that of the blob, or what is inside is not gzip.
 */
async function uncoded(
  answer: Answer,
  { size, mediaType, digest }: OciDescriptor,
  domain: string,
  isPart: boolean,
): Promise<{ readonly body: AsyncIterable<Buffer>; readonly coded: boolean }> {
  const codings = codingsOf(answer);
  if (!codings.length || isPart || Number(headerOf(answer, 'content-length')) === size) return { body: answer.body, coded: false };
  const what = `the blob ${digest} of ${domain}`;
  const { head, all } = await peek(answer.body);
  const [first = '', ...more] = codings.toReversed();
  if (!looksEncoded(first, head) || (first === 'gzip' && !more.length && /gzip/i.test(mediaType) && !looksEncoded('gzip', innerHead(head))))
    return { body: all, coded: false };
  let body: AsyncIterable<Buffer> = all;
  for (const coding of [first, ...more]) {
    const make = DECODERS[coding];
    if (!make) throw unknownCoding(coding, what);
    body = through(body, make(), coding, what);
  }
  return { body, coded: true };
}

/** The first bytes of what is in the beginning of a gzip file. */
function innerHead(head: Buffer): Buffer {
  try {
    return gunzipSync(head, { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: 64 << 20 });
  } catch {
    return Buffer.alloc(0);
  }
}

/** Reads as much of a body as tells what it is, and gives all of it back. */
async function peek(body: Readable): Promise<{ readonly head: Buffer; readonly all: AsyncIterable<Buffer> }> {
  const pieces = body[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  const chunks: Buffer[] = [];
  let length = 0;
  while (length < 512) {
    const { value, done } = await pieces.next();
    if (done) break;
    chunks.push(value);
    length += value.length;
  }
  const head = Buffer.concat(chunks);
  return { head, all: rest(head, pieces) };
}

async function* rest(head: Buffer, pieces: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  try {
    if (head.length) yield head;
    for (let next = await pieces.next(); !next.done; next = await pieces.next()) yield next.value;
  } finally {
    await pieces.return?.();
  }
}

async function* through(body: AsyncIterable<Buffer>, decoder: NodeJS.ReadWriteStream, coding: string, what: string): AsyncGenerator<Buffer> {
  const output = new PassThrough();
  let failure: unknown;
  const done = pipeline(body, decoder, output).catch((error: unknown) => {
    failure = error;
    output.destroy(error as Error);
  });
  try {
    yield* output as AsyncIterable<Buffer>;
  } catch (error) {
    const { code = '' } = (failure ?? error) as NodeJS.ErrnoException;
    // A connection that broke off leaves half of a file, too.
    if (/^(?:Z_|ERR__?ZSTD|ERR_BROTLI|ERR_ZLIB)/.test(code) && code !== 'Z_BUF_ERROR') throw brokenCoding(coding, what, error);
    throw error;
  } finally {
    output.destroy();
    await done;
  }
}
