import './output/guard-streams.js';
import path from 'node:path';
import { readByNode } from '@lamella/syscall/own-words';
import { Config } from '@oclif/core/config';
import { flush } from '@oclif/core/flush';
import { run } from '@oclif/core/run';
import { asksForHelp, LEADING_FLAG_COMMANDS } from './command-line/parse-flags.js';
import { catchUncaught } from './entry/catch-uncaught.js';
import { reportCommandFailure } from './entry/report-command-failure.js';
import { OutputError } from './errors/output-error.js';
import { UsageError } from './errors/usage-error.js';

/** Every command but the fast path of `run`, through oclif. */
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

/** Runs our own commands with words that oclif has not looked at: it would take a value `-h` for a question. All else is oclif's. */
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

/** Plugins are installed by npm, which is Node with the words of this command line among its arguments. */
function refuseOptionsOfNode([command, ...words]: readonly string[]): void {
  const read = command === 'plugins' ? readByNode(words) : undefined;
  if (read !== undefined) throw new UsageError(`${read} cannot be passed on to npm: Node would read it`, 'See lamella plugins --help.');
}
