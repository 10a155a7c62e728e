import { createHash } from 'node:crypto';
import { globSync } from 'node:fs';

/** The cgroups of a store's containers, as absolute directories: those of other tests are not ours to judge. */
export function cgroupsOf(store: string): string[] {
  const end = createHash('sha256').update(store).digest('hex').slice(0, 8);
  return globSync([`/sys/fs/cgroup/lamella-*-${end}`, `/sys/fs/cgroup/*/lamella-*-${end}`]);
}
