import { helpHint } from '../command-line/parse-flags.js';
import { usageOf } from '../errors/usage-error.js';
import { reportOwnFailure } from '../output/exit-status.js';

/** Tell of an error that a command did not tell of itself, and set the exit status. */
export function reportCommandFailure(error: unknown, command: string, argv: readonly string[]): void {
  const exit = (error as { oclif?: { exit?: number } }).oclif?.exit;
  // An exit, not a failure: it was printed where it happened.
  if ((error as { code?: string }).code === 'EEXIT') {
    process.exitCode = exit ?? 0;
    return;
  }
  process.exitCode = reportOwnFailure(usage(error, command), { debug: argv.includes('--debug') });
}

/** What oclif does not like of the words of a plugin, in our words. */
function usage(error: unknown, command: string): unknown {
  const { message, constructor: kind, parse } = error as { message: string; constructor: { name: string }; parse?: unknown };
  return parse !== undefined || kind.name === 'CLIError' ? usageOf(message, helpHint(command)) : error;
}
