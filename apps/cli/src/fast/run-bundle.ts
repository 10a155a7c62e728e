import { observeReads } from '@lamella/syscall';
import { asksForHelp } from '../command-line/parse-flags.js';
import { catchUncaught } from '../entry/catch-uncaught.js';
import { execMain } from '../run/exec-main.js';
import { frontFailureMain } from '../run/front-failure-main.js';
import { runMain } from '../run/run-main.js';
import { EXEC_FLAGS } from '../run-flags/exec-flags.js';
import { RUN_FLAGS } from '../run-flags/run-flags.js';

export { restoreArguments } from '@lamella/syscall/restore-arguments';

/** The commands whose start time matters most, without the rest of oclif. */
export const COMMANDS = {
  run: { main: runMain, flags: RUN_FLAGS },
  exec: { main: execMain, flags: EXEC_FLAGS },
  '.front-failure': { main: frontFailureMain, flags: {} },
} as const;

type FastCommand = keyof typeof COMMANDS;

/** Whether the command line asks for help. oclif prints it. */
export function wantsHelp(command: FastCommand, argv: readonly string[]): boolean {
  return asksForHelp(argv, COMMANDS[command].flags, { command, leading: true });
}

export async function main(command: FastCommand, argv: readonly string[]): Promise<void> {
  catchUncaught(argv);
  if (command !== '.front-failure' && process.env.LAMELLA_REPLAY !== '0') observeReads();
  process.exitCode = await COMMANDS[command].main(argv);
}
