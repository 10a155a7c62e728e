import { readFileSync } from 'node:fs';
import path from 'node:path';
import { LamellaError } from '@lamella/syscall';
import { OutputError } from '../errors/output-error.js';
import { NEWEST } from '../operations/features.js';
import { defaultRoot } from '../state/state-directory.js';
import { COMMANDS } from './commands.js';
import { help } from './help.js';
import { makeLog } from './make-log.js';
import { booleanFlag, type Flags, parseFlags, textFlag, usageError } from './parse-flags.js';
import { print } from './print.js';

export { ownWords } from '@lamella/syscall/own-words';

/** Flags that come before the command. */
const GLOBAL_FLAGS: Flags = {
  root: { type: 'string', value: 'DIR', about: `where the state of containers is (default ${defaultRoot()})` },
  log: { type: 'string', value: 'FILE', about: 'append what is said to a file (default stderr)' },
  'log-format': { type: 'string', value: 'text|json', about: 'how (default text)' },
  debug: { type: 'boolean', about: 'say more' },
  'systemd-cgroup': { type: 'boolean', about: 'systemd makes the cgroup: linux.cgroupsPath is SLICE:PREFIX:NAME' },
  rootless: { type: 'string', value: 'true|false|auto', about: 'accepted; found out by itself' },
  criu: { type: 'string', value: 'FILE', about: 'accepted; checkpoints are not supported' },
  help: { type: 'boolean', short: 'h', about: 'show this' },
  version: { type: 'boolean', short: 'v', about: 'show the version' },
};

/** Run a command line, without the program's name. Resolves with the exit status. */
export async function main(argv: readonly string[]): Promise<number> {
  let log = makeLog({ format: 'text', debug: false });
  let failed = 1;
  // Node would print the source of this bundle; the CLI, whose plugin this is too, has its own.
  if (!process.listenerCount('uncaughtException'))
    process.on('uncaughtException', (error) => {
      log.error(describe(error));
      process.exit(failed);
    });
  try {
    const { values, rest } = parseFlags(argv, GLOBAL_FLAGS, true);
    const format = textFlag(values, 'log-format') ?? 'text';
    if (format !== 'text' && format !== 'json') throw usageError(`invalid log-format ${JSON.stringify(format)}: it is text or json`);
    log = makeLog({ file: textFlag(values, 'log'), format, debug: booleanFlag(values, 'debug') });
    const version = ownVersion();
    const [name = '', ...args] = rest;
    if (booleanFlag(values, 'version')) return print(`lamella-oci version ${version}\nspec: ${NEWEST}\n`);
    if (booleanFlag(values, 'help') || name === 'help' || !name) return print(help(args[0] ?? (name === 'help' ? undefined : name), GLOBAL_FLAGS));
    const command = COMMANDS[name];
    if (!command) throw usageError(`No such command '${name}'`);
    failed = command.failure ?? 1;
    const flags: Flags = { ...command.flags, help: { type: 'boolean', short: 'h', about: 'show this' } };
    const parsed = parseFlags(args, flags, command.passesOn === true);
    if (booleanFlag(parsed.values, 'help')) return print(help(name, GLOBAL_FLAGS));
    const [least, most] = command.arguments;
    if (parsed.rest.length < least) throw usageError(`"lamella-oci ${name}" needs ${command.usage || 'no arguments'}`);
    if (parsed.rest.length > most)
      throw usageError(`"lamella-oci ${name}" takes ${command.usage || 'no arguments'}, and there is more: ${parsed.rest.slice(most).join(' ')}`);
    const root = path.resolve(textFlag(values, 'root') ?? defaultRoot());
    const status = await command.run({ root, log, systemdCgroup: booleanFlag(values, 'systemd-cgroup'), version }, parsed.values, parsed.rest);
    return status ?? 0;
  } catch (error) {
    if (error instanceof OutputError && error.status !== undefined) return error.status;
    log.error(describe(error));
    if (!(error instanceof LamellaError)) log.debug(String((error as Error).stack));
    return failed;
  }
}

/** One line, whatever it was. */
function describe(error: unknown): string {
  const { message, hint } = error as LamellaError;
  return `${message}${hint ? ` (${hint})` : ''}`.replace(/\s*\n\s*/g, '; ');
}

function ownVersion(): string {
  return (JSON.parse(readFileSync(path.join(import.meta.dirname, '../../package.json'), 'utf8')) as { version: string }).version;
}
