import { explainBecome } from '@lamella/engine';
import { UsageError } from '../errors/usage-error.js';
import { OUR_FAILURE, reportFailure } from '../output/exit-status.js';
import { reportError } from '../output/report-error.js';

/** Reports the failure of a container whose command has become its front. @returns the exit status */
export async function frontFailureMain([waitStatus]: readonly string[]): Promise<number> {
  let debug = false;
  try {
    if (waitStatus === undefined) throw new UsageError('.front-failure is an internal command', 'See lamella --help.');
    const { context, outcome } = explainBecome(waitStatus);
    debug = context === 'debug';
    const { exited, releaseFailures } = await outcome();
    for (const failure of releaseFailures) reportError(failure, { debug });
    return exited?.status ?? OUR_FAILURE;
  } catch (error) {
    return reportFailure(error, { debug });
  }
}
