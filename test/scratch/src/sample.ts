/** What chooses of many cases those that a short run has: the same ones every time, so that a red run can be repeated. Others with LAMELLA_SEED. */
export const SEED: number = Number(process.env.LAMELLA_SEED ?? 20261127);

/** Returns so many of some cases at most, spread over all of them. */
export function sample<Case>(all: readonly Case[], most: number): readonly Case[] {
  if (all.length <= most) return all;
  return Array.from({ length: most }, (_, i) => all[(Math.floor((i * all.length) / most) + SEED) % all.length] as Case);
}
