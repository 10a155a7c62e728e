import { nearest } from './nearest.js';
import { failedByUs } from './output/exit-status.js';
import { UsageError, usageOf } from './usage-error.js';

/** Tell of an error that a command did not tell of itself, and set the exit status. */
export function commandFailed(error: unknown, command: string, argv: readonly string[]): void {
  const exit = (error as { oclif?: { exit?: number } }).oclif?.exit;
  // An exit, not a failure: it was printed where it happened.
  if ((error as { code?: string }).code === 'EEXIT') {
    process.exitCode = exit ?? 0;
    return;
  }
  process.exitCode = failedByUs(usage(error, command), { debug: argv.includes('--debug') });
}

/** What oclif's parser does not like, in our words. */
function usage(error: unknown, command: string): unknown {
  const {
    flags,
    message,
    constructor: kind,
    parse,
  } = error as { flags?: readonly string[]; message: string; constructor: { name: string }; parse?: { input?: { flags?: object } } };
  const help = `See lamella ${command} --help.`;
  if (kind.name === 'NonExistentFlagsError' && flags?.[0]) {
    const [unknown] = flags;
    const meant = nearest(unknown.replace(/^-+/, ''), Object.keys(parse?.input?.flags ?? {}));
    return new UsageError(`there is no flag ${unknown}`, meant ? `Did you mean --${meant}? ${help}` : help);
  }
  if (parse !== undefined || kind.name === 'CLIError') return usageOf(message, help);
  return error;
}
