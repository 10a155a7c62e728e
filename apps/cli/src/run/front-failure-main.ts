import { explainBecome } from '@lamella/engine';
import { UsageError } from '../errors/usage-error.js';
import { failed, OUR_FAILURE } from '../output/exit-status.js';
import { reportError } from '../output/report-error.js';

/** Say what went wrong with a container whose command line has become its front. Resolves with the exit status. */
export async function toldMain([waitStatus]: readonly string[]): Promise<number> {
  let debug = false;
  try {
    if (waitStatus === undefined) throw new UsageError('.told is not a command to be typed', 'What a run became executes it, to say what failed.');
    const { context, outcome } = explainBecome(waitStatus);
    debug = context === 'debug';
    const { exited, releaseFailures } = await outcome();
    for (const failure of releaseFailures) reportError(failure, { debug });
    return exited?.status ?? OUR_FAILURE;
  } catch (error) {
    return failed(error, { debug });
  }
}
