import { helpHint, usageErrorFrom } from '../errors/usage-error.js';
import { reportOwnFailure } from '../output/exit-status.js';

/** Reports an error that a command did not report itself, and sets the exit status. */
export function reportCommandFailure(error: unknown, command: string, argv: readonly string[]): void {
  const exit = (error as { oclif?: { exit?: number } }).oclif?.exit;
  // oclif's exit: the failure was reported already.
  if ((error as { code?: string }).code === 'EEXIT') {
    process.exitCode = exit ?? 0;
    return;
  }
  process.exitCode = reportOwnFailure(usage(error, command), { debug: argv.includes('--debug') });
}

/** Returns an error of oclif's parser, which plugins use, as a usage error. */
function usage(error: unknown, command: string): unknown {
  const { message, constructor: kind, parse } = error as { message: string; constructor: { name: string }; parse?: unknown };
  return parse !== undefined || kind.name === 'CLIError' ? usageErrorFrom(message, helpHint(command)) : error;
}
