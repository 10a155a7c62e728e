import path from 'node:path';
import { NamespaceError } from '../model/namespace-error.js';
import type { Mount } from './mount.js';

/** Where a mount has to land, as the descriptor of its target shows: `exact` is its own destination, through no link. */
export interface Landing {
  /** The destination without `.`, `..` and doubled slashes. */
  readonly destination: string;
  readonly exact: boolean;
  /** The filesystem that the source must be (statfs(2)). */
  readonly type?: number;
}

/** The kinds of mounts that stand between a container and the host's kernel. */
const CONFINING: ReadonlySet<Mount['type']> = new Set(['proc', 'sysfs', 'dev', 'devpts', 'mqueue', 'cgroup2']);

/** PROC_SUPER_MAGIC (linux/magic.h) */
export const PROCFS = 0x9fa0;

/** The files that lxcfs(1) replaces, as paths below /proc; runc lets nothing else be mounted there. */
export const PROC_FILES: ReadonlySet<string> = new Set([
  'cpuinfo',
  'diskstats',
  'loadavg',
  'meminfo',
  'slabinfo',
  'stat',
  'swaps',
  'uptime',
  'sys/crypto/fips_enabled',
  'sys/kernel/ns_last_pid',
]);

/** Returns an absolute path without `.`, `..`, doubled slashes and one at its end, as the words of it say: no link is looked at. */
export function normalizedPath(destination: string): string {
  return path.posix.resolve('/', destination);
}

/** Returns where a list of mounts confines the container: what else is mounted may get there by its exact path only. */
export function confiningPlaces(mounts: readonly Mount[]): readonly string[] {
  return [...new Set(mounts.filter(({ type }) => CONFINING.has(type)).map(({ destination }) => normalizedPath(destination)))];
}

/** Returns the place of {@link confiningPlaces} that a destination is at or below, as its words say. */
export function confiningPlaceOf(destination: string, places: readonly string[]): string | undefined {
  const at = normalizedPath(destination);
  return places.find((place) => isWithin(at, place));
}

/**
 * Decides where a mount has to land. Those that confine have to be where they are said to be. Any other gets to such a place, or
 * below it, by its exact path, and below /proc only to the files that runc allows, too.
 *
 * @param places see {@link confiningPlaces}
 * @throws NamespaceError `MOUNT_REFUSED`
 */
export function landingOf(mount: Mount, mounts: readonly Mount[], places: readonly string[]): Landing {
  const destination = normalizedPath(mount.destination);
  if (destination === '/') throw refused(mount, 'the root is what everything else is mounted on', 'Use a directory below it.');
  if (CONFINING.has(mount.type)) return { destination, exact: true };
  const place = confiningPlaceOf(destination, places);
  if (place === undefined) return { destination, exact: false };
  if (mount.type === 'own')
    throw refused(mount, `${place} is not a directory of the root, but a filesystem of the kernel's`, 'Nothing written there would be kept.');
  const proc = mounts.map((each) => (each.type === 'proc' ? normalizedPath(each.destination) : '')).find((at) => at && isWithin(destination, at));
  if (proc === undefined) return { destination, exact: true };
  if (destination === proc) {
    if (mount.type === 'bind') return { destination, exact: true, type: PROCFS };
    throw refused(mount, 'nothing but a proc filesystem may take its place', 'Only -v /proc:/proc is possible, and what is hidden there stays hidden.');
  }
  if ((mount.type === 'bind' || mount.type === 'file') && PROC_FILES.has(destination.slice(proc.length + 1))) return { destination, exact: true };
  // An empty file takes something from sight, and gives nothing.
  if (mount.type === 'file' && mount.content.length === 0) return { destination, exact: true };
  throw refused(mount, 'it is below /proc', `Only files that tell of resources can be replaced there: ${[...PROC_FILES].join(', ')}.`);
}

function isWithin(at: string, place: string): boolean {
  return at === place || at.startsWith(place === '/' ? place : `${place}/`);
}

function refused({ destination }: Mount, why: string, hint: string): NamespaceError {
  return new NamespaceError({ code: 'MOUNT_REFUSED', message: `nothing can be mounted on ${destination}: ${why}`, hint });
}
