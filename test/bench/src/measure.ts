/** One thing to measure; resolves when it is done. */
export type Action = () => Promise<unknown> | unknown;

/**
 * Medians, in milliseconds, of several actions taken in turns, so that whatever else the machine
 * does meets all of them alike. `before` runs untimed ahead of each, with its name as the argument.
 */
export async function medians<Name extends string>(
  actions: Readonly<Record<Name, Action>>,
  { rounds, warmup = 1, before }: { readonly rounds: number; readonly warmup?: number; readonly before?: (name: Name) => Promise<unknown> | unknown },
): Promise<Record<Name, number>> {
  const names = Object.keys(actions) as Name[];
  const times = new Map<Name, number[]>(names.map((name) => [name, []]));
  for (let round = -warmup; round < rounds; round++) {
    for (const name of names) {
      await before?.(name);
      const began = performance.now();
      await actions[name]();
      const took = performance.now() - began;
      if (round >= 0) times.get(name)?.push(took);
    }
  }
  return Object.fromEntries([...times].map(([name, all]) => [name, median(all)])) as Record<Name, number>;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? (sorted[middle] ?? Number.NaN) : ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2;
}

/** What a container leaves to the kernel (its network, its cgroup) is done when this is over, and hits nobody else. */
export const settle: Action = () => new Promise((resolve) => setTimeout(resolve, 30));
