import './output/guard-streams.js';
import path from 'node:path';
import { readByNode } from '@lamella/syscall/restore-arguments';
import { Config } from '@oclif/core/config';
import { flush } from '@oclif/core/flush';
import { run } from '@oclif/core/run';
import { asksForHelp, LEADING_FLAG_COMMANDS } from './command-line/parse-flags.js';
import { catchUncaught } from './entry/catch-uncaught.js';
import { reportCommandFailure } from './entry/report-command-failure.js';
import { OutputError } from './errors/output-error.js';
import { UsageError } from './errors/usage-error.js';

/** Runs the commands that are not in a bundle of the fast path, through oclif. */
export async function main(argv: readonly string[]): Promise<void> {
  catchUncaught(argv);
  try {
    refuseOptionsOfNode(argv);
    await dispatch(argv);
    await flush().catch((error: unknown) => {
      throw new OutputError(error);
    });
  } catch (error) {
    reportCommandFailure(error, argv[0] ?? '', argv);
  }
}

/** Runs our own commands without oclif's parser, which takes a value `-h` for the help flag. oclif runs everything else. */
async function dispatch(argv: readonly string[]): Promise<void> {
  const config = await Config.load(path.join(import.meta.dirname, '..'));
  const [first = '', second = ''] = argv;
  const command = config.findCommand(`${first}:${second}`) ?? config.findCommand(first);
  if (command?.pluginName === config.pjson.name) {
    const rest = argv.slice(command.id.includes(':') ? 2 : 1);
    const grammar = { command: command.id.replaceAll(':', ' '), leading: LEADING_FLAG_COMMANDS.includes(command.id) };
    if (!asksForHelp(rest, command.flags, grammar)) return config.runCommand(command.id, [...rest], command);
  }
  await run([...argv], config);
}

/** Refuses options of Node for `plugins`: npm would pass them to Node. */
function refuseOptionsOfNode([command, ...words]: readonly string[]): void {
  const read = command === 'plugins' ? readByNode(words) : undefined;
  if (read !== undefined) throw new UsageError(`${read} is an option of Node and cannot be passed to npm`, 'See lamella plugins --help.');
}
