import path from 'node:path';
import type { Mount, User } from '@lamella/namespace';
import { AT_FDCWD, COPY, O, type Op, type Program } from '@lamella/syscall';
import type { HostView, ScaffoldEntry } from '../../model/host-view.js';
import type { WritableMount } from '../../model/writable-mount.js';
import { likeSource } from '../volumes.js';
import { effectiveMode, look } from './host-paths.js';

/** The user that this process is. */
export function ownUser(): User {
  return { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0, groups: process.getgroups?.() ?? [], home: process.env.HOME ?? '/' };
}

/** What is mounted over a view of the host, parents first; the store's containers, this one's upper among them, are not to be seen. */
export function hostMounts<Shown extends WritableMount>(
  { binds, hidden }: HostView,
  others: readonly Shown[],
  made: (view: Shown) => Mount,
  root: string,
): Mount[] {
  const shown = [
    ...others.filter(({ destination, source }) => destination === source).map((view) => [view.destination, made(view)] as const),
    // What is gone by then is not shown.
    ...binds.map(({ path: at, directory }) => [at, { type: 'bind', source: at, destination: at, directory, readonly: true, optional: true }] as const),
  ];
  const covers = [{ path: path.join(root, 'containers'), directory: true }, ...hidden].map(
    ({ path: destination, directory }): Mount =>
      directory ? { type: 'tmpfs', destination, mode: '0555', readonly: true } : { type: 'file', destination, content: '' },
  );
  return [...shown.toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, mount]) => mount), ...covers];
}

/** Errors when another process removed, or closed, what was there a moment ago. */
const VANISHED = ['ENOENT', 'ENOTDIR', 'EACCES', 'EPERM', 'ELOOP', 'ESTALE', 'EIO', 'ENXIO', 'ESPIPE', 'ENOTCONN'] as const;

/**
 * Ops that make the uppers of a view of the host look like what they stand for, and put the root of an ordinary user's together, in
 * the place of the one that is there from the last start.
 *
 * @param fresh the views whose uppers are new
 * @param scaffold absolute path of where the root is made
 */
export function prepareHost(
  { scaffold: entries }: HostView,
  [top]: readonly [WritableMount, ...WritableMount[]],
  fresh: readonly WritableMount[],
  scaffold: string,
): Program {
  const shown = fresh.flatMap((view) => (view.source === undefined ? [] : permitted(view.upperdir, view.source)));
  if (!entries) return shown;
  return [
    ...shown,
    { op: 'rmtree', dirfd: AT_FDCWD, pathname: scaffold },
    ...scaffolding(scaffold, entries),
    { op: 'fchmodat', dirfd: AT_FDCWD, pathname: top.upperdir, mode: 0o555 },
  ];
}

/** Of an ordinary user all is its own there: what it may not do on the host it is not to be able to do. */
export function permitted(upperdir: string, source: string): Program {
  const found = look(source);
  if (!found) return [];
  if (process.geteuid?.() === 0) return likeSource(upperdir, source, found);
  // Whether there is something in it can be seen of every upper: names of a lower that is closed are not shown by that.
  return [{ op: 'fchmodat', dirfd: AT_FDCWD, pathname: upperdir, mode: (effectiveMode(source, found.mode) & 0o7777) | 0o400 }];
}

/** Ops that put the root of an ordinary user's view together: names, which the real things are mounted on, and copies. */
function scaffolding(top: string, entries: readonly ScaffoldEntry[]): Program {
  const at = (each: ScaffoldEntry): string => path.join(top, each.path);
  // An object whose type has changed is left out: a link that replaced a directory would lead later writes elsewhere.
  const copy = (each: Extract<ScaffoldEntry, { readonly type: 'copy' }>, flags = 0): Op => ({
    op: 'copy_object',
    olddirfd: AT_FDCWD,
    newdirfd: AT_FDCWD,
    flags: flags | (each.directory ? COPY.DIRECTORY : COPY.OTHER),
    oldpath: each.path,
    newpath: at(each),
    ignore: VANISHED,
  });
  const make = (each: ScaffoldEntry): Op => {
    switch (each.type) {
      case 'directory':
        return { op: 'mkdirat', dirfd: AT_FDCWD, pathname: at(each), mode: 0o755 };
      case 'symlink':
        return { op: 'symlinkat', target: each.target, newdirfd: AT_FDCWD, linkpath: at(each) };
      case 'copy':
        return copy(each);
      case 'node':
        return { op: 'mknodat', dirfd: AT_FDCWD, pathname: at(each), mode: each.mode, major: 0, minor: 0, ignore: VANISHED };
      case 'file':
        return { op: 'write_file', dirfd: AT_FDCWD, pathname: at(each), flags: O.WRONLY | O.CREAT | O.EXCL | O.CLOEXEC, mode: 0o444, data: '' };
    }
  };
  return [
    { op: 'mkdirat', dirfd: AT_FDCWD, pathname: top, mode: 0o755 },
    ...entries.map(make),
    // What was made in them changed their times.
    ...entries
      .filter((each) => each.type === 'copy')
      .filter((each) => each.directory)
      .toReversed()
      .map((each) => copy(each, COPY.METADATA)),
    ...modes(top, entries, 0o555),
  ];
}

/** Ops that make a scaffold one that everybody may remove who may remove what it is in. */
export function openScaffold({ scaffold: entries }: HostView, top: string): Program {
  const parents = new Set(entries?.map((each) => path.dirname(each.path)));
  return entries
    ? modes(
        top,
        entries.filter((each) => parents.has(each.path)),
        0o755,
      )
    : [];
}

/** Ops that set the mode of those directories of a scaffold that are not copies. */
function modes(top: string, entries: readonly ScaffoldEntry[], mode: number): Program {
  const directories = entries.filter((each) => each.type === 'directory').map((each) => path.join(top, each.path));
  return [...directories, top].map((pathname): Op => ({ op: 'fchmodat', dirfd: AT_FDCWD, pathname, mode, ignore: ['ENOENT'] }));
}
