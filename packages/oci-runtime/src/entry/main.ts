import { readFileSync } from 'node:fs';
import path from 'node:path';
import { LamellaError } from '@lamella/syscall';
import { makeLog } from '../command-line/make-log.js';
import { booleanFlag, type Flag, type Flags, parseFlags, textFlag, usageError } from '../command-line/parse-flags.js';
import { print } from '../command-line/print.js';
import { COMMANDS } from '../commands/commands.js';
import { INTERNAL_COMMANDS } from '../commands/internal-commands.js';
import { OutputError } from '../errors/output-error.js';
import { NEWEST } from '../operations/features.js';
import { defaultRoot } from '../state/state-directory.js';
import { help } from './help.js';

export { restoreArguments } from '@lamella/syscall/restore-arguments';

const HELP: Flag = { type: 'boolean', short: 'h', about: 'Show help' };

/** Flags before the command. */
const GLOBAL_FLAGS: Flags = {
  root: { type: 'string', value: 'DIR', about: `Root directory of the container state (default: ${defaultRoot()})` },
  log: { type: 'string', value: 'FILE', about: 'Append the log to a file (default: stderr)' },
  'log-format': { type: 'string', value: 'text|json', about: 'Format of the log (default: text)' },
  debug: { type: 'boolean', about: 'Enable debug logging' },
  'systemd-cgroup': { type: 'boolean', about: 'Use systemd for cgroups; cgroupsPath has the form SLICE:PREFIX:NAME' },
  rootless: { type: 'string', value: 'true|false|auto', about: 'Ignored: rootless mode is detected' },
  criu: { type: 'string', value: 'FILE', about: 'Ignored: checkpoints are not supported' },
  help: HELP,
  version: { type: 'boolean', short: 'v', about: 'Print the version' },
};

/**
 * Runs a command line.
 *
 * @param argv the words after the program's name
 * @returns the exit status
 */
export async function main(argv: readonly string[]): Promise<number> {
  let log = makeLog({ format: 'text', debug: false });
  let failed = 1;
  // Without this handler Node prints the source of the bundle. The CLI, which runs this as a plugin, has another handler.
  if (!process.listenerCount('uncaughtException'))
    process.on('uncaughtException', (error) => {
      log.error(describe(error));
      process.exit(failed);
    });
  try {
    const { values, rest } = parseFlags(argv, GLOBAL_FLAGS, true);
    const format = textFlag(values, 'log-format') ?? 'text';
    if (format !== 'text' && format !== 'json') throw usageError(`invalid log-format ${JSON.stringify(format)}: use text or json`);
    log = makeLog({ file: textFlag(values, 'log'), format, debug: booleanFlag(values, 'debug') });
    const version = ownVersion();
    const [name = '', ...args] = rest;
    if (booleanFlag(values, 'version')) return print(`lamella-oci version ${version}\nspec: ${NEWEST}\n`);
    if (booleanFlag(values, 'help') || name === 'help' || !name) return print(help(args[0] ?? (name === 'help' ? undefined : name), GLOBAL_FLAGS));
    const command = COMMANDS[name] ?? INTERNAL_COMMANDS[name];
    if (!command) throw usageError(`unknown command '${name}'`);
    failed = command.failure ?? 1;
    const flags: Flags = { ...command.flags, help: HELP };
    const parsed = parseFlags(args, flags, command.passesOn === true);
    if (booleanFlag(parsed.values, 'help')) return print(help(name, GLOBAL_FLAGS));
    const [least, most] = command.arguments;
    if (parsed.rest.length < least) throw usageError(`"lamella-oci ${name}" requires ${command.usage || 'no arguments'}`);
    if (parsed.rest.length > most)
      throw usageError(`"lamella-oci ${name}" accepts ${command.usage || 'no arguments'}; unexpected: ${parsed.rest.slice(most).join(' ')}`);
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

/** Returns an error and its hint in one line. */
function describe(error: unknown): string {
  const { message, hint } = error as LamellaError;
  return `${message}${hint ? ` (${hint})` : ''}`.replace(/\s*\n\s*/g, '; ');
}

function ownVersion(): string {
  return (JSON.parse(readFileSync(path.join(import.meta.dirname, '../../package.json'), 'utf8')) as { version: string }).version;
}
