import { FileError } from './file-error.js';
import { HeldFile } from './held-file.js';

/** The number of links that the kernel follows. */
const MAX_LINKS = 40;

/**
 * Where a file that others made is.
 *
 * - A path alone: typed by the user, or an administrator's. Links are followed.
 * - A path below a root: only objects inside the root are found, whatever the links there contain, also while another
 *   process replaces directories by links. A link that leads out is an error (`leaving: 'refused'`), or is resolved as in a
 *   chroot(2) (`'clamped'`).
 * - An object that is held already, and what messages call it.
 */
export type FilePlace = string | PlaceBelow | { readonly held: HeldFile; readonly name: string };

interface PlaceBelow {
  readonly root: string;
  readonly path: string;
  readonly leaving: 'refused' | 'clamped';
}

/** Returns the place for messages. */
export function nameOfPlace(place: FilePlace): string {
  if (typeof place === 'string') return place;
  return 'held' in place ? place.name : `${place.root.replace(/\/$/, '')}/${place.path.replace(/^\//, '')}`;
}

/**
 * Holds the object at a place, without opening it.
 *
 * @returns undefined when there is none
 * @throws FileError `FILE_OUTSIDE`, `FILE_UNREADABLE`
 */
export function holdPlace(place: FilePlace): HeldFile | undefined {
  try {
    if (typeof place === 'string') return HeldFile.at(place);
    return 'held' in place ? HeldFile.at(place.held.path) : holdBelow(place);
  } catch (error) {
    throw error instanceof FileError ? error : FileError.of(nameOfPlace(place), error as NodeJS.ErrnoException);
  }
}

/** Opens each component in the directory before it. `..` returns to the directory that was passed. */
function holdBelow(place: PlaceBelow): HeldFile | undefined {
  const top = HeldFile.at(place.root);
  if (!top) return undefined;
  using held = new DisposableStack();
  const way: HeldFile[] = [held.use(top)];
  let pending = components(place.path);
  for (let links = 0; pending.length; ) {
    const [name, ...rest] = pending as [string, ...string[]];
    pending = rest;
    const here = way.at(-1) as HeldFile;
    if (!here.stat.isDirectory()) return undefined;
    if (name === '.') continue;
    if (name === '..') {
      if (way.length > 1) way.pop();
      else if (place.leaving === 'refused') throw leadsOut(place);
      continue;
    }
    const entry = here.entry(name);
    if (!entry) return undefined;
    held.use(entry);
    if (!entry.stat.isSymbolicLink()) {
      way.push(entry);
      continue;
    }
    if (++links > MAX_LINKS) throw FileError.of(nameOfPlace(place), Object.assign(new Error('too many links'), { code: 'ELOOP' }));
    const target = here.linkTarget(name);
    if (target.startsWith('/')) {
      if (place.leaving === 'refused') throw leadsOut(place);
      way.length = 1;
    }
    pending = [...components(target), ...pending];
  }
  return HeldFile.at((way.at(-1) as HeldFile).path);
}

/** Returns whether a path must be a directory because it ends in a slash. */
function components(path: string): string[] {
  const names = path.split('/').filter(Boolean);
  return path.endsWith('/') ? [...names, '.'] : names;
}

function leadsOut(place: PlaceBelow): FileError {
  const name = nameOfPlace(place);
  return new FileError(
    'outside',
    name,
    `${name} is, or lies behind, a link that leads out of ${place.root}`,
    `Replace the links by the files: cp -rL ${place.root} COPY`,
  );
}
