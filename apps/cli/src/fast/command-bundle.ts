import type { Command } from '@oclif/core/command';
import type { FlagTable } from '../command-line/flag-table.js';
import { asksForHelp, LEADING_FLAG_COMMANDS } from '../command-line/parse-flags.js';
import { catchUncaught } from '../entry/catch-uncaught.js';
import { reportCommandFailure } from '../entry/report-command-failure.js';

export type CommandClasses = Readonly<Record<string, new (argv: string[], config: never) => Command>>;

/** The functions of a bundle with commands, which run without the rest of oclif. */
export interface Bundle {
  /** Returns whether the command line asks for help. oclif prints it. */
  wantsHelp(command: string, argv: readonly string[]): boolean;
  main(command: string, argv: readonly string[]): Promise<void>;
}

export function bundleOf(commands: CommandClasses): Bundle {
  return { wantsHelp: (command, argv) => wantsHelp(commands, command, argv), main: (command, argv) => main(commands, command, argv) };
}

/** The part of oclif's config that a command needs to run. */
const CONFIG = {
  bin: 'lamella',
  userAgent: 'lamella',
  runHook: async () => ({ successes: [], failures: [] }),
  scopedEnvVarKey: (name: string) => `LAMELLA_${name}`,
  scopedEnvVarKeys: (name: string) => [`LAMELLA_${name}`],
};

/** Whether the command line asks for help. oclif prints it. */
function wantsHelp(commands: CommandClasses, command: string, argv: readonly string[]): boolean {
  const { baseFlags, flags } = commands[command] as unknown as { readonly baseFlags?: FlagTable; readonly flags?: FlagTable };
  return asksForHelp(argv, { ...baseFlags, ...flags }, { command, leading: LEADING_FLAG_COMMANDS.includes(command) });
}

async function main(commands: CommandClasses, name: string, argv: readonly string[]): Promise<void> {
  catchUncaught(argv);
  const Found = commands[name];
  if (!Found) throw new TypeError(`${name} is not in this bundle`);
  Object.assign(Found, { id: name });
  const command = new Found([...argv], CONFIG as never) as unknown as { _run(): Promise<unknown> };
  try {
    await command._run();
  } catch (error) {
    reportCommandFailure(error, name, argv);
  }
}
