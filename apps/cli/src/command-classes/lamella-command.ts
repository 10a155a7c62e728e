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

/** What the commands share: the store, `--json`, `--debug`, and how errors are told. */
export abstract class LamellaCommand extends Command {
  static override baseFlags = {
    root: string({ helpValue: 'DIR', description: 'the store (default: $LAMELLA_ROOT, /var/lib/lamella, ~/.local/share/lamella)' }),
    json: boolean({ description: 'print JSON' }),
    debug: boolean({ description: 'print where an error came from' }),
  };

  /**
   * The one way of every command to its flags, which are read as Docker reads them, and so to the store: what an interrupted apply left is
   * taken back before anything is looked at.
   */
  protected override async parse<F extends Values, B extends Values, A extends Values>(
    options?: Input<F, B, A>,
    argv?: string[],
  ): Promise<ParserOutput<F, B, A>> {
    // oclif's parser would also complain where NODE_ENV is that of a developer.
    this.parsed = true;
    const { flags, args, words } = await parseCommand(argv ?? this.argv, {
      command: this.id?.replaceAll(':', ' ') ?? '',
      flags: { ...options?.baseFlags, ...options?.flags } as CommandDefinition['flags'],
      args: (options?.args ?? {}) as CommandDefinition['args'] & object,
      strict: options?.strict !== false,
    });
    await recover(this.storeRoot(flags));
    // Its type follows from that of the options, which the parser does not know.
    return { flags, args, argv: words, raw: [], metadata: { flags: {} }, nonExistentFlags: [] } as unknown as ParserOutput<F, B, A>;
  }

  protected storeRoot(flags: { root?: string | undefined }): string {
    return flags.root === undefined ? defaultRoot() : path.resolve(flags.root);
  }

  /** Prints a value for programs, or lines for people. @throws OutputError */
  protected print(json: boolean | undefined, value: unknown, lines: readonly Shown[]): void {
    if (json) stdout.json(value);
    else stdout.lines(lines);
  }

  protected override async catch(error: Error & { parse?: unknown; code?: string }): Promise<void> {
    // Mistakes on the command line are told in one place, main.ts.
    if (error.parse !== undefined || error.code === 'EEXIT' || error.constructor.name === 'CLIError') throw error;
    process.exitCode = reportOwnFailure(error, { json: this.argv.includes('--json'), debug: this.argv.includes('--debug') });
  }
}
