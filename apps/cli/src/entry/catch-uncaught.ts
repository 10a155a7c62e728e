import { reportOwnFailure } from '../output/exit-status.js';
import { stderr } from '../output/out.js';
import { text } from '../output/printable.js';

/** Reports uncaught errors in one line and exits. Node would print the source of the bundle too. */
export function catchUncaught(argv: readonly string[]): void {
  process.on('uncaughtException', (error) => {
    process.exit(reportOwnFailure(error, { debug: argv.includes('--debug') }));
  });
  // These warnings tell users where a recovery has kept their files, so they are printed as notes.
  const others = process.listeners('warning');
  process.removeAllListeners('warning');
  process.on('warning', (warning: Error & { code?: string }) => {
    if (warning.code === 'LAMELLA_KEPT' || warning.code === 'LAMELLA_LEFT') stderr.line(text`lamella: ${warning.message}`);
    else for (const other of others) other(warning);
  });
}
