import { catchTheRest } from '../last-resort.js';
import { EXEC_FLAGS } from '../run/exec-flags.js';
import { execMain } from '../run/exec-main.js';
import { flagWords } from '../run/parse-run.js';
import { RUN_FLAGS } from '../run/run-flags.js';
import { runMain } from '../run/run-main.js';
import { toldMain } from '../run/told-main.js';

export { ownWords } from '@lamella/syscall/own-words';

/** The commands that somebody waits for, without the rest of oclif. */
export const COMMANDS = {
  run: { main: runMain, flags: RUN_FLAGS },
  exec: { main: execMain, flags: EXEC_FLAGS },
  '.told': { main: toldMain, flags: {} },
} as const;

type FastCommand = keyof typeof COMMANDS;

/** Whether help was asked for, which oclif prints. */
export function wantsHelp(command: FastCommand, argv: readonly string[]): boolean {
  const own = flagWords(argv, COMMANDS[command].flags);
  return own.includes('--help') || own.includes('-h');
}

export async function main(command: FastCommand, argv: readonly string[]): Promise<void> {
  catchTheRest(argv);
  process.exitCode = await COMMANDS[command].main(argv);
}
