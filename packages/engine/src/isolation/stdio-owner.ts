import type { Identity } from '@lamella/namespace';
import type { Program } from '@lamella/syscall';
import type { OwnIds } from '../model/container-ids.js';

/** Returns ops that give pipes to the user of the command, by the id that its monitor sees, so that the command can open /dev/stderr. */
export function giveStdio({ uid, gid }: Identity, ids: OwnIds | undefined): Program {
  const [owner, group] = [outside(ids?.uids, uid), outside(ids?.gids, gid)];
  return owner === 0 && group === 0 ? [] : [{ op: 'own_stdio', owner, group }];
}

/** Returns the monitor's id for an id inside. An id that is not mapped is refused later. */
function outside(maps: OwnIds['uids'] | undefined, id: number): number {
  if (!maps) return id;
  const found = maps.find(({ inside, count }) => id >= inside && id < inside + count);
  return found ? found.outside + id - found.inside : id;
}
