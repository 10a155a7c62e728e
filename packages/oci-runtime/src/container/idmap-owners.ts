import { CLONE, type Running } from '@lamella/syscall';
import type { OciConfig, OciIdMap } from '../config/schema.js';
import { planMount } from '../mounts/mount-options.js';
import { writeIdMaps } from './id-maps.js';
import { Steps } from './steps.js';

/** Processes whose user namespaces hold the mappings of idmapped mounts until the mounts are made (mount_setattr(2)). */
export interface IdmapOwners extends AsyncDisposable {
  /** Pids by the index of the mount. */
  readonly pids: ReadonlyMap<number, number>;
}

/** Starts one process for each distinct mapping: that of a mount, or the container's own for the option `idmap`. */
export async function idmapOwners({ mounts, linux }: OciConfig): Promise<IdmapOwners> {
  const pids = new Map<number, number>();
  const running: Running[] = [];
  const known = new Map<string, number>();
  const end = async (): Promise<void> => {
    for (const each of running) each.abort();
    await Promise.allSettled(running.map(({ result }) => result));
  };
  try {
    for (const [i, mount] of (mounts ?? []).entries()) {
      const own = mount.uidMappings?.length && mount.gidMappings?.length;
      if (!own && !planMount(mount).idmap) continue;
      const [uids, gids] = own ? [mount.uidMappings ?? [], mount.gidMappings ?? []] : [linux?.uidMappings ?? [], linux?.gidMappings ?? []];
      const key = JSON.stringify([uids, gids]);
      const pid = known.get(key) ?? (await begin(uids, gids, running));
      known.set(key, pid);
      pids.set(i, pid);
    }
  } catch (error) {
    await end();
    throw error;
  }
  return { pids, [Symbol.asyncDispose]: end };
}

async function begin(uids: readonly OciIdMap[], gids: readonly OciIdMap[], running: Running[]): Promise<number> {
  const clone = { op: 'clone', flags: CLONE.NEWUSER, monitor: 0, reply: true, program: [{ op: 'wait' }] } as const;
  const steps = new Steps([clone], {});
  running.push(steps.running);
  const pid = await steps.valueOf(clone);
  writeIdMaps(pid, uids, gids);
  return pid;
}
