/** What chooses of many cases those that a short run has: the same ones every time, so that a red run can be repeated. Others with LAMELLA_SEED. */
export const SEED: number = Number(process.env.LAMELLA_SEED ?? 20261127);

/** How long each walk through all cases takes at most, in seconds. Without a limit: hours. */
const WALK_SECONDS = Number(process.env.LAMELLA_WALK_SECONDS ?? Number.POSITIVE_INFINITY);

/**
 * Yields all cases. With `LAMELLA_WALK_SECONDS` they come in a random order, as many as there is time for. A failure is repeated by `LAMELLA_SEED`.
 */
export function* allInTime<Case>(all: readonly Case[]): Generator<Case, void> {
  if (WALK_SECONDS === Number.POSITIVE_INFINITY) return yield* all;
  const end = performance.now() + WALK_SECONDS * 1000;
  let state = Number(process.env.LAMELLA_SEED ?? Date.now() % 1_000_000);
  process.stderr.write(`a walk of ${WALK_SECONDS} s with LAMELLA_SEED=${state}\n`);
  const left = [...all];
  for (let last = left.length - 1; last >= 0 && performance.now() < end; last--) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const chosen = state % (last + 1);
    yield left[chosen] as Case;
    left[chosen] = left[last] as Case;
  }
}

/** Returns so many of some cases at most, spread over all of them. */
export function sample<Case>(all: readonly Case[], most: number): readonly Case[] {
  if (all.length <= most) return all;
  return Array.from({ length: most }, (_, i) => all[(Math.floor((i * all.length) / most) + SEED) % all.length] as Case);
}
