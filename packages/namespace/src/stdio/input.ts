import { createReadStream } from 'node:fs';
import { Readable, type Writable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { fileURLToPath } from 'node:url';
import { isFileForm, isReadable, isWebReadable, type StdinForm } from './forms.js';
import { pump } from './pump.js';

/** What is written to a command's stdin, one after the other. */
export type Input = string | Exclude<StdinForm, 'pipe' | 'ignore'>;

/**
 * Writes all inputs to a stdin, and ends it, also where one of them fails: then the command comes to the end of what there was.
 *
 * @throws what an input fails with
 */
export async function feed(inputs: readonly Input[], stdin: Writable, onFailed: (error: unknown) => void): Promise<void> {
  // Its reader may go at any time.
  stdin.on('error', () => undefined);
  try {
    for (const input of inputs) if ((await pump(readableOf(input), stdin)) === 'closed') break;
  } catch (error) {
    // Before the end, so that no reader takes this for all of it.
    onFailed(error);
  }
  stdin.end();
}

function readableOf(input: Input): Readable {
  if (typeof input === 'string' || input instanceof Uint8Array) return Readable.from([input], { objectMode: true });
  if (input === 'inherit') return process.stdin;
  if (typeof input === 'number') return input === 0 ? process.stdin : createReadStream('', { fd: input, autoClose: false });
  if (input instanceof URL) return createReadStream(fileURLToPath(input));
  if (isFileForm(input)) return createReadStream(input.file);
  if (isReadable(input)) return input;
  if (isWebReadable(input)) return Readable.fromWeb(input as ReadableStream);
  return Readable.from(input as Iterable<string | Uint8Array>, { objectMode: true });
}
