import { ownWords } from './parse-run.js';
import { runMain } from './run-main.js';

/** Whether help was asked for, which oclif prints. */
export function wantsHelp(argv: readonly string[]): boolean {
  const own = ownWords(argv);
  return own.includes('--help') || own.includes('-h');
}

/** `lamella run` without the rest of oclif. */
export async function main(argv: readonly string[]): Promise<void> {
  process.exitCode = await runMain(argv);
}
