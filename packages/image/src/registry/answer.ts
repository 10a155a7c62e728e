import type { Readable } from 'node:stream';
import { brotliDecompressSync, gunzipSync, inflateSync, zstdDecompressSync } from 'node:zlib';
import { ImageError } from '../model/image-error.js';

/** The answer to a request. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Readable & { dump(): Promise<void> };
  /** The host that answered, after all redirects. */
  readonly url: URL;
}

/** The first value of a header. */
export function headerOf({ headers }: Pick<Answer, 'headers'>, name: string): string | undefined {
  return [headers[name]].flat()[0];
}

/** The media type without its parameters, in lower case (RFC 9110, 8.3.1); empty when nobody says. */
export function mediaTypeOf(answer: Pick<Answer, 'headers'>): string {
  return (headerOf(answer, 'content-type') ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
}

/** The codings of a body in the order in which they were applied (RFC 9110, 8.4). */
export function codingsOf(answer: Pick<Answer, 'headers'>): readonly string[] {
  return (headerOf(answer, 'content-encoding') ?? '')
    .toLowerCase()
    .split(',')
    .map((each) => each.trim().replace(/^x-/, ''))
    .filter((each) => each && each !== 'identity');
}

/** An answer that was read; one that is a failure is not. */
export interface ReadAnswer extends Answer {
  readonly content?: Buffer;
}

/** Reads an answer if it is none of a failure. @throws ImageError as {@link readWithin} does */
export async function readIfGood(answer: Answer, most: number, what: string): Promise<ReadAnswer> {
  return answer.status >= 200 && answer.status < 300 ? { ...answer, content: await readWithin(answer, most, what) } : answer;
}

/** How compressed bytes begin; brotli's have no such mark. */
const MAGIC: Readonly<Record<string, Buffer>> = { gzip: Buffer.from([0x1f, 0x8b]), zstd: Buffer.from([0x28, 0xb5, 0x2f, 0xfd]) };

/** Whether bytes can be of a coding: a proxy may have undone the coding of the header. */
export function looksEncoded(coding: string, head: Buffer): boolean {
  const magic = MAGIC[coding];
  return !magic || head.subarray(0, magic.length).equals(magic);
}

/**
 * Reads an answer that is short unless it is made to do damage.
 *
 * @param most bytes, as they come and after their coding is undone
 * @param what it is, for messages
 * @throws ImageError `DOCUMENT_TOO_LARGE`, `REGISTRY_FAILED` for a coding that is unknown or broken
 */
export async function readWithin(answer: Answer, most: number, what: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of answer.body as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > most) throw tooLarge(what, most);
    chunks.push(chunk);
  }
  let content: Buffer = Buffer.concat(chunks);
  for (const coding of codingsOf(answer).toReversed()) content = decoded(coding, content, most, what);
  return content;
}

function decoded(coding: string, content: Buffer, most: number, what: string): Buffer {
  if (!looksEncoded(coding, content)) return content;
  const decode = { gzip: gunzipSync, deflate: inflateSync, br: brotliDecompressSync, zstd: zstdDecompressSync }[coding];
  if (!decode) throw unknownCoding(coding, what);
  try {
    return decode(content, { maxOutputLength: most });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(what, most);
    throw brokenCoding(coding, what, cause);
  }
}

export function unknownCoding(coding: string, what: string): ImageError {
  return new ImageError({
    code: 'REGISTRY_FAILED',
    message: `${what} comes in the coding '${coding}', which was not asked for`,
    hint: 'The registry, or a proxy before it, is misconfigured.',
  });
}

export function brokenCoding(coding: string, what: string, cause: unknown): ImageError {
  return new ImageError({
    code: 'REGISTRY_FAILED',
    message: `${what} is not the ${coding} that its Content-Encoding says: ${(cause as Error).message}`,
    hint: 'The registry, or a proxy before it, is misconfigured.',
    cause,
  });
}

function tooLarge(what: string, most: number): ImageError {
  return new ImageError({
    code: 'DOCUMENT_TOO_LARGE',
    message: `${what} has more than the ${most} bytes that are taken`,
    hint: 'It is damaged, or made to do damage.',
  });
}
