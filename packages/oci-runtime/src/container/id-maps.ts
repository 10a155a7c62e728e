import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { findProgram } from '@lamella/syscall';
import type { OciIdMap } from '../config/schema.js';
import { OciError } from '../errors/oci-error.js';

/** Whether a map has the user's own id only, which needs no privilege. */
function isOwn(maps: readonly OciIdMap[], own: number): boolean {
  return maps.length === 1 && maps[0]?.size === 1 && maps[0].hostID === own;
}

/**
 * Maps the ids of a process's new user namespace (user_namespaces(7)). Root, and an ordinary user with only its own id, write the maps;
 * other users need newuidmap(1).
 *
 * @throws OciError `IDMAP_FAILED`
 */
export function writeIdMaps(pid: number, uids: readonly OciIdMap[], gids: readonly OciIdMap[]): void {
  const [euid, egid] = [process.geteuid?.() ?? 0, process.getegid?.() ?? 0];
  try {
    if (euid !== 0 && isOwn(gids, egid)) writeFileSync(`/proc/${pid}/setgroups`, 'deny');
    write(pid, 'uid_map', 'newuidmap', uids, euid);
    write(pid, 'gid_map', 'newgidmap', gids, egid);
  } catch (cause) {
    throw new OciError({
      code: 'IDMAP_FAILED',
      message: `cannot map the ids of the container's user namespace: ${(cause as Error).message.split('\n')[0]}`,
      hint: 'linux.uidMappings and gidMappings need at most 340 entries without overlaps, with host ids of this user (subuid(5)).',
      cause,
    });
  }
}

function write(pid: number, file: string, helper: string, maps: readonly OciIdMap[], own: number): void {
  if (process.geteuid?.() === 0 || isOwn(maps, own)) {
    writeFileSync(`/proc/${pid}/${file}`, maps.map(({ containerID, hostID, size }) => `${containerID} ${hostID} ${size}\n`).join(''));
    return;
  }
  execFileSync(findProgram(helper) ?? helper, [String(pid), ...maps.flatMap(({ containerID, hostID, size }) => [containerID, hostID, size].map(String))], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
}

/** Whether an id of the container is mapped. */
export function isMapped(maps: readonly OciIdMap[] | undefined, id: number): boolean {
  return !maps?.length || maps.some(({ containerID, size }) => id >= containerID && id < containerID + size);
}

/** Returns the id on the host of an id of the container. */
export function hostId(maps: readonly OciIdMap[] | undefined, id: number): number {
  const map = maps?.find(({ containerID, size }) => id >= containerID && id < containerID + size);
  return map ? map.hostID + id - map.containerID : id;
}
