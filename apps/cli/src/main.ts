import './output/guard-streams.js';
import path from 'node:path';
import { readByNode } from '@lamella/syscall/own-words';
import { flush } from '@oclif/core/flush';
import { run } from '@oclif/core/run';
import { commandFailed } from './command-failed.js';
import { catchTheRest } from './last-resort.js';
import { OutputError } from './output/output-error.js';
import { UsageError } from './usage-error.js';

/** Every command but the fast path of `run`, through oclif. */
export async function main(argv: readonly string[]): Promise<void> {
  catchTheRest(argv);
  try {
    refuseOptionsOfNode(argv);
    await run([...argv], path.join(import.meta.dirname, '..'));
    await flush().catch((error: unknown) => {
      throw new OutputError(error);
    });
  } catch (error) {
    commandFailed(error, argv[0] ?? '', argv);
  }
}

/** Plugins are installed by npm, which is Node with the words of this command line among its arguments. */
function refuseOptionsOfNode([command, ...words]: readonly string[]): void {
  const read = command === 'plugins' ? readByNode(words) : undefined;
  if (read !== undefined) throw new UsageError(`${read} cannot be passed on to npm: Node would read it`, 'See lamella plugins --help.');
}
