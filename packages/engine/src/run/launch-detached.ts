import { setTimeout as sleep } from 'node:timers/promises';
import { launch } from '@lamella/namespace';
import { type Attached, attachTo } from '../lifecycle/attach.js';
import { EngineError } from '../model/engine-error.js';
import { explainFailure } from './explain-failure.js';
import type { Plan } from './plan/plan.js';

/**
 * Starts what a plan is for, a detached life, and lets go of it. Resolves when its command has been executed.
 *
 * @param attach the plan holds the command back until a client is attached
 * @throws EngineError `CONTAINER_DIED`, and what {@link explainFailure} makes of a failed call; NamespaceError
 */
export async function launchDetached(plan: Plan, attach: boolean): Promise<Attached | undefined> {
  const running = launch(plan.program, plan.args, { stdio: ['ignore', 'ignore', 'ignore'] });
  /** Why it failed; pending for one that is let go. */
  const failure = running.result.then(
    () => undefined,
    (error: unknown) => explainFailure(error, plan, undefined),
  );
  let over = false;
  void failure.then(() => {
    over = true;
  });
  const attached = attach ? await comeTo(plan.directory, () => over) : undefined;
  if (attached) running.go();
  if ((await running.started) !== undefined) {
    running.release();
    return attached;
  }
  attached?.detach();
  throw (
    (await failure) ??
    new EngineError({
      code: 'CONTAINER_DIED',
      message: `the container ${plan.id} ended before its command began`,
      hint: 'It was killed. Try again.',
    })
  );
}

/** The monitor listens from early on, but not from the first moment. */
async function comeTo(directory: string, over: () => boolean): Promise<Attached | undefined> {
  for (;;) {
    const attached = await attachTo(directory);
    if (attached || over()) return attached;
    await sleep(1);
  }
}
