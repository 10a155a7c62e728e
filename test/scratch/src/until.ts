import { setTimeout as sleep } from 'node:timers/promises';

/** Milliseconds between two looks. */
const LOOK = 20;

/**
 * Look again and again until something holds; returns whether it came to that. A busy machine takes its time: a test that
 * expects it to happen waits until just before its own time is over.
 *
 * @param seconds how long
 */
export async function becomes(holds: () => boolean | Promise<boolean>, seconds = 50): Promise<boolean> {
  const end = performance.now() + seconds * 1000;
  for (;;) {
    if (await holds()) return true;
    if (performance.now() > end) return false;
    await sleep(LOOK);
  }
}

/** As {@link becomes}; throws when it never came to that. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  if (!(await becomes(holds))) throw new Error(`it never came to that: ${holds}`);
}
