import { runMain } from './run-main.js';

/** `lamella run` without the rest of oclif, which is only asked for help. */
export async function main(argv: readonly string[]): Promise<void> {
  const end = argv.findIndex((word) => !word.startsWith('-'));
  const own = end < 0 ? argv : argv.slice(0, end);
  if (own.includes('--help') || own.includes('-h')) {
    const whole = await import('../main.js');
    await whole.main(['run', ...argv]);
    return;
  }
  process.exitCode = await runMain(argv);
}
