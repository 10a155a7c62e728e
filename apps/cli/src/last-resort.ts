import { failedByUs } from './output/exit-status.js';

/** Ends this process with one line about an error that nothing has caught, in place of Node's, which prints the source beside it. */
export function catchTheRest(argv: readonly string[]): void {
  process.on('uncaughtException', (error) => {
    process.exit(failedByUs(error, { debug: argv.includes('--debug') }));
  });
}
