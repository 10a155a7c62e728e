import { visible } from '@lamella/syscall';
import { OutputError } from '../errors/output-error.js';
import { reportOwnFailure } from './exit-status.js';

/** Colors, and moves of the cursor as spinners make them; what else begins with an escape has no business here. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it is about
const OURS = /(\u001b\[[\d;?]*[A-HJKSTfhlmnsu]|\r|\n|\t)/;

/*
 * Importing this makes the streams of Node safe, on which oclif and its plugins print help and the like: an error of writing ends the process
 * with a line and a status, and what they print from outside is escaped. It comes before oclif, which keeps the functions that it finds.
 */
guardStreams();

function guardStreams(): void {
  // Before oclif's own, which throws.
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
