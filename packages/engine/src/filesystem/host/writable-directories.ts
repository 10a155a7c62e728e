import { constants, readdirSync, type Stats } from 'node:fs';
import path from 'node:path';
import type { Assembly } from './assemble-root.js';
import { ancestors, isWithin, look, may, unreachable } from './host-paths.js';

/** Places that each need an overlay. */
export interface WritablePlaces {
  readonly found: readonly string[];
  /** Sentences about files there that cannot be changed inside. */
  readonly notes: readonly string[];
  /** A sentence about those that may not have been found. */
  readonly doubt?: string;
}

/** So many directories are looked into, and for so many milliseconds. */
const BUDGET = { directories: 2000, milliseconds: 100 } as const;
/** What nobody but its owner writes to, and what has thousands of directories. */
const PRIVATE: ReadonlySet<string> = new Set(['node_modules', '.git', 'site-packages', 'dist-packages', '__pycache__']);
/** More overlays are not made. */
const PLACES = 200;
/** What packages install: thousands of directories, all of them root's. */
const INSTALLED: ReadonlySet<string> = new Set([
  ...['bin', 'include', 'lib', 'lib32', 'lib64', 'libexec', 'libx32', 'sbin', 'share', 'src'].map((name) => `/usr/${name}`),
  '/bin',
  '/boot',
  '/lib',
  '/lib32',
  '/lib64',
  '/nix/store',
  '/gnu/store',
  '/sbin',
  '/snap',
  '/var/lib/docker',
  '/var/lib/containers',
  '/var/lib/dpkg',
  '/var/lib/flatpak',
  '/var/lib/snapd',
]);

/**
 * Directories that an ordinary user may write to, below directories that belong to other users. Overlayfs copies the directories above a
 * changed file, and cannot give a copy to an id that is not mapped (EOVERFLOW): such a directory needs a separate overlay.
 * The named paths are looked at first.
 *
 * @param named real paths
 */
export function writablePlaces({ overlays, below }: Pick<Assembly, 'overlays' | 'below'>, named: readonly string[]): WritablePlaces {
  const uid = process.geteuid?.();
  const gid = process.getegid?.();
  const tops = overlays.filter((each) => !each.assembled).map((each) => each.path);
  const topSet = new Set(tops);
  const found = new Set<string>();
  const owned = (stats: Stats): boolean => stats.uid === uid && stats.gid === gid;
  /**
   * Adds a directory if overlayfs cannot copy it, because it or its parent belongs to another user, and this user may write to it. An ACL
   * that gives another user write access shows in the group's bits.
   */
  const place = (at: string, stats: Stats, parentOwned: boolean): void => {
    if (found.size >= PLACES || (owned(stats) && parentOwned)) return;
    if (stats.uid === uid || (stats.mode & 0o022 && may(at, constants.W_OK | constants.X_OK))) found.add(at);
  };
  /** It is the top of an overlay, where names can be made: on the host, too, which an apply needs. */
  const isOpen = (at: string): boolean => found.has(at) || (topSet.has(at) && may(at, constants.W_OK | constants.X_OK));
  const chains = new Set<string>();
  for (const each of named)
    for (const at of [...ancestors(each).toReversed(), each]) {
      if (chains.has(at)) continue;
      chains.add(at);
      const parent = path.dirname(at);
      if (topSet.has(at) || below.has(at) || !tops.some((top) => isWithin(at, top))) continue;
      const [stats, above] = [look(at), look(parent)];
      if (stats?.isDirectory() && above) place(at, stats, isOpen(parent) || owned(above));
    }
  const until = performance.now() + BUDGET.milliseconds;
  const queue = [...named.filter((each) => tops.some((top) => isWithin(each, top))), ...tops.toSorted((a, b) => a.length - b.length)];
  const seen = new Set<string>();
  for (let i = 0; i < queue.length; i++) {
    const at = queue[i] ?? '';
    if (seen.has(at) || INSTALLED.has(at)) continue;
    seen.add(at);
    const stats = look(at);
    // What is in a directory of the user's is the user's, with rare exceptions.
    if (!stats?.isDirectory() || owned(stats)) continue;
    if (found.size >= PLACES)
      return { ...told(found, named, owned), doubt: `Only ${PLACES} directories of yours below those of other users are writable inside.` };
    if (seen.size > BUDGET.directories || performance.now() > until)
      return {
        ...told(found, named, owned),
        doubt: `Not all directories were searched for some of yours below those of other users: writing there may fail with EOVERFLOW. Name them in the command, or start in them.`,
      };
    for (const name of directoriesIn(at)) {
      const child = path.join(at, name);
      if (topSet.has(child) || below.has(child)) continue;
      const inside = look(child);
      if (!inside) continue;
      place(child, inside, isOpen(at));
      if (!owned(inside)) queue.push(child);
    }
  }
  return told(found, named, owned);
}

/** So many names of a shared directory are looked at. */
const LOOKED_AT = 200;

/** In a directory that is shared, what belongs to others cannot be copied up, though this user may write to it on the host. */
function told(found: ReadonlySet<string>, named: readonly string[], owned: (stats: Stats) => boolean): WritablePlaces {
  const notes = [...found].flatMap((place) => {
    const stats = look(place);
    // Of those only that the command is about.
    if (!stats || owned(stats) || !named.some((each) => isWithin(each, place))) return [];
    const others = namesIn(place)
      .slice(0, LOOKED_AT)
      .filter((name) => {
        const inside = look(path.join(place, name));
        return inside?.isFile() && !owned(inside) && may(path.join(place, name), constants.W_OK);
      });
    if (!others.length) return [];
    return [
      `Files of other users or groups in ${place} cannot be changed inside (EOVERFLOW): ${others.slice(0, 5).join(', ')}${others.length > 5 ? ' and more' : ''}. They can be replaced.`,
    ];
  });
  return { found: [...found], notes };
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    return unreachable(error) ?? [];
  }
}

function directoriesIn(directory: string): string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter((each) => each.isDirectory())
      .map((each) => each.name)
      .filter((name) => !PRIVATE.has(name));
  } catch (error) {
    return unreachable(error) ?? [];
  }
}
