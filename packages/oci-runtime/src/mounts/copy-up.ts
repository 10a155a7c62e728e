import { readdirSync } from 'node:fs';
import { bytesOf, type HeldFile, holdPlace, type Op, openBeneath, openInRoot, type SlotAllocator } from '@lamella/syscall';
import { OciError } from '../errors/oci-error.js';

/** One directory of a tree, by its path below the top (`.` for the top), and the names in it, sorted. */
export interface ListedDirectory {
  readonly path: string;
  readonly names: readonly string[];
}

/** The largest tree that is copied up. All mounts of a container share one program of at most 8 MiB. */
export interface CopyUpBounds {
  /** Bytes of the ops that copy it. */
  readonly bytes: number;
  /** Nested directories: each needs an open descriptor. */
  readonly depth: number;
}

const COPY_UP_BOUNDS: CopyUpBounds = { bytes: 4 << 20, depth: 400 };

/** Bytes of the ops for a name and for a directory, beside the names themselves. */
const PER_NAME = 54;
const PER_DIRECTORY = 180;
const PATH_MAX = 4096;

/**
 * Returns the ops that copy the content of a destination into the tmpfs that hides it (config.md, "tmpcopyup"). The content is listed on
 * the host, so a destination below another mount starts empty. Links are never followed: they are copied as links.
 *
 * @param purpose the mount, for messages
 * @throws OciError `COPY_UP_REFUSED`; FileError `FILE_UNREADABLE`
 */
export function copyUp(
  destination: string,
  { rootfs, root, slots }: { readonly rootfs: string; readonly root: number; readonly slots: SlotAllocator },
  purpose: string,
): { readonly before: Op[]; readonly after: Op[] } {
  const directories = listDirectories(rootfs, destination, purpose);
  if (!directories.length) return { before: [], after: [] };
  const [below, above, from, to] = [slots(), slots(), slots(), slots()];
  const directory = { directory: true } as const;
  return {
    before: [openInRoot(root, destination, below, directory)],
    after: [
      openInRoot(root, destination, above, directory),
      ...directories.flatMap(({ path, names }): Op[] => [
        openBeneath(below, path, from, directory),
        openBeneath(above, path, to, directory),
        ...names.map((name): Op => ({ op: 'copy_object', olddirfd: from, newdirfd: to, flags: 0, oldpath: name, newpath: name })),
        { op: 'close', fd: from },
        { op: 'close', fd: to },
      ]),
      { op: 'close', fd: above },
      { op: 'close', fd: below },
    ],
  };
}

/**
 * Lists a directory of a root and the directories below it, parents first, without empty ones. The root may be that of an untrusted image,
 * so each directory is held open while it is read: a link that replaces it is not followed.
 *
 * @throws OciError `COPY_UP_REFUSED`
 */
export function listDirectories(root: string, directory: string, purpose: string, bounds: CopyUpBounds = COPY_UP_BOUNDS): ListedDirectory[] {
  const found: ListedDirectory[] = [];
  let bytes = 0;
  const refuse = (why: string): never => {
    throw new OciError({
      code: 'COPY_UP_REFUSED',
      message: `${purpose}: cannot copy ${directory} of the root into the tmpfs (tmpcopyup): ${why}`,
      hint: 'Remove tmpcopyup from the options of the mount, or mount a smaller directory.',
    });
  };
  const visit = (held: HeldFile, path: string, depth: number): void => {
    const names = namesIn(held, path, refuse);
    bytes += PER_DIRECTORY + 2 * path.length + names.reduce((sum, name) => sum + PER_NAME + 2 * bytesOf(name).length, 0);
    if (bytes > bounds.bytes) refuse(`it has too many files: their names alone take more than ${bounds.bytes} bytes`);
    if (names.length) found.push({ path, names });
    for (const name of names) {
      using entry = held.entry(name);
      if (!entry?.stat.isDirectory()) continue;
      const next = path === '.' ? name : `${path}/${name}`;
      if (depth === bounds.depth || bytesOf(next).length >= PATH_MAX) refuse(`its directories are nested too deeply: ${next.slice(0, 60)}…`);
      visit(entry, next, depth + 1);
    }
  };
  using held = holdPlace({ root, path: directory, leaving: 'clamped' });
  if (held?.stat.isDirectory()) visit(held, '.', 1);
  return found;
}

function namesIn(held: HeldFile, path: string, refuse: (why: string) => never): string[] {
  try {
    return readdirSync(held.path).sort();
  } catch (error) {
    return refuse(`cannot read ${path}: ${(error as NodeJS.ErrnoException).code}`);
  }
}
