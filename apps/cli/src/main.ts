import path from 'node:path';
import { flush } from '@oclif/core/flush';
import { run } from '@oclif/core/run';
import { commandFailed } from './command-failed.js';
import { catchTheRest } from './last-resort.js';
import { guardStreams } from './output/guard-streams.js';
import { OutputError } from './output/output-error.js';

/** Every command but the fast path of `run`, through oclif. */
export async function main(argv: readonly string[]): Promise<void> {
  catchTheRest(argv);
  guardStreams();
  try {
    await run([...argv], path.join(import.meta.dirname, '..'));
    await flush().catch((error: unknown) => {
      throw new OutputError(error);
    });
  } catch (error) {
    commandFailed(error, argv[0] ?? '', argv);
  }
}
