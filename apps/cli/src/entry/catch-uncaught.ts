import { reportOwnFailure } from '../output/exit-status.js';
import { stderr } from '../output/out.js';
import { text } from '../output/printable.js';

/** Ends this process with one line about an error that nothing has caught, in place of Node's, which prints the source beside it. */
export function catchUncaught(argv: readonly string[]): void {
  process.on('uncaughtException', (error) => {
    process.exit(reportOwnFailure(error, { debug: argv.includes('--debug') }));
  });
  // Where a recovery put what the user had changed meanwhile is no warning about our code.
  const others = process.listeners('warning');
  process.removeAllListeners('warning');
  process.on('warning', (warning: Error & { code?: string }) => {
    if (warning.code === 'LAMELLA_KEPT' || warning.code === 'LAMELLA_LEFT') stderr.line(text`lamella: ${warning.message}`);
    else for (const other of others) other(warning);
  });
}
