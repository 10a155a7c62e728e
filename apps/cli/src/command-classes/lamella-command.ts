import path from 'node:path';
import { defaultRoot, recover } from '@lamella/engine';
import { Command } from '@oclif/core/command';
import { boolean, string } from '@oclif/core/flags';
import type { Input, ParserOutput } from '@oclif/core/interfaces';
import { type CommandDefinition, parseCommand } from '../command-line/parse-command.js';
import { reportOwnFailure } from '../output/exit-status.js';
import { stdout } from '../output/out.js';
import type { Shown } from '../output/printable.js';

type Values = Record<string, unknown>;

/** The base class of our commands: the store, `--json`, `--debug`, and error reports. */
export abstract class LamellaCommand extends Command {
  static override baseFlags = {
    root: string({ helpValue: 'DIR', description: 'Directory of the store (default: $LAMELLA_ROOT, /var/lib/lamella or ~/.local/share/lamella)' }),
    json: boolean({ description: 'Print JSON' }),
    debug: boolean({ description: 'Print the stack trace of an error' }),
  };

  /**
   * Parses the command line as Docker does, and recovers the store: an interrupted apply is undone before the command reads anything. Every
   * command calls this first.
   */
  protected override async parse<F extends Values, B extends Values, A extends Values>(
    options?: Input<F, B, A>,
    argv?: string[],
  ): Promise<ParserOutput<F, B, A>> {
    // Stops oclif from warning about an unparsed command line where NODE_ENV is development.
    this.parsed = true;
    const { flags, args, words } = await parseCommand(argv ?? this.argv, {
      command: this.id?.replaceAll(':', ' ') ?? '',
      flags: { ...options?.baseFlags, ...options?.flags } as CommandDefinition['flags'],
      args: (options?.args ?? {}) as CommandDefinition['args'] & object,
      strict: options?.strict !== false,
    });
    await recover(this.storeRoot(flags));
    // The type follows from the options, but parseCommand is not generic.
    return { flags, args, argv: words, raw: [], metadata: { flags: {} }, nonExistentFlags: [] } as unknown as ParserOutput<F, B, A>;
  }

  protected storeRoot(flags: { root?: string | undefined }): string {
    return flags.root === undefined ? defaultRoot() : path.resolve(flags.root);
  }

  /** Prints a value as JSON, or lines for people. @throws OutputError */
  protected print(json: boolean | undefined, value: unknown, lines: readonly Shown[]): void {
    if (json) stdout.json(value);
    else stdout.lines(lines);
  }

  protected override async catch(error: Error & { parse?: unknown; code?: string }): Promise<void> {
    // reportCommandFailure reports errors of oclif.
    if (error.parse !== undefined || error.code === 'EEXIT' || error.constructor.name === 'CLIError') throw error;
    process.exitCode = reportOwnFailure(error, { json: this.argv.includes('--json'), debug: this.argv.includes('--debug') });
  }
}
