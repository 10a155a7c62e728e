import { visible } from '@lamella/syscall';
import { OutputError } from '../errors/output-error.js';
import { reportOwnFailure } from './exit-status.js';

/** Escape sequences for colors and for cursor moves of spinners. All others are escaped. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: it matches control characters
const OURS = /(\u001b\[[\d;?]*[A-HJKSTfhlmnsu]|\r|\n|\t)/;

/*
 * Importing this module makes Node's streams safe, on which oclif and plugins print: a write error ends the process with a message and a
 * status, and text is escaped. It must be imported before oclif, which keeps references to the functions.
 */
guardStreams();

function guardStreams(): void {
  // Before oclif's listener, which throws.
  process.stdout.prependListener('error', (error) => process.exit(reportOwnFailure(new OutputError(error))));
  process.stderr.on('error', () => undefined);
  for (const stream of [process.stdout, process.stderr]) {
    const write = stream.write.bind(stream) as (chunk: string | Uint8Array, ...rest: unknown[]) => boolean;
    stream.write = ((chunk: string | Uint8Array, ...rest: unknown[]) =>
      write(typeof chunk === 'string' ? shown(chunk) : chunk, ...rest)) as typeof stream.write;
  }
}

function shown(chunk: string): string {
  return chunk
    .split(OURS)
    .map((part, i) => (i % 2 ? part : visible(part)))
    .join('');
}
