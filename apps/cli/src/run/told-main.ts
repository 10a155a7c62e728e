import { explainBecome } from '@lamella/engine';
import { OUR_FAILURE, statusOf } from '../output/exit-status.js';
import { reportError } from '../output/report-error.js';

/** Say what went wrong with a container whose `lamella run` has become its front. Resolves with the exit status. */
export async function toldMain([waitStatus = '']: readonly string[]): Promise<number> {
  const { context, outcome } = explainBecome(waitStatus);
  const debug = context === 'debug';
  try {
    const { exited, releaseFailures } = await outcome();
    for (const failure of releaseFailures) reportError(failure, { debug });
    return exited?.status ?? OUR_FAILURE;
  } catch (error) {
    reportError(error, { debug });
    return statusOf(error);
  }
}
