import { statSync } from 'node:fs';
import path from 'node:path';
import type { Mount, User } from '@lamella/namespace';
import { AT_FDCWD, O, type Op, type Program } from '@lamella/syscall';
import { effectiveMode, type HostView, type ScaffoldEntry } from './host-view.js';
import type { View } from './views.js';
import { likeSource } from './volumes.js';

/** Whoever this process is. */
export function ownUser(): User {
  return { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0, groups: process.getgroups?.() ?? [], home: process.env.HOME ?? '/' };
}

/** What is mounted over a view of the host, parents first; the store's containers, this one's upper among them, are not to be seen. */
export function hostMounts<Shown extends View>({ binds, hidden }: HostView, others: readonly Shown[], made: (view: Shown) => Mount, root: string): Mount[] {
  const shown = [
    ...others.filter(({ destination, source }) => destination === source).map((view) => [view.destination, made(view)] as const),
    ...binds.map(({ path: at, directory }) => [at, { type: 'bind', source: at, destination: at, directory, readonly: true }] as const),
  ];
  const covers = [{ path: path.join(root, 'containers'), directory: true }, ...hidden].map(
    ({ path: destination, directory }): Mount =>
      directory ? { type: 'tmpfs', destination, mode: '0555', readonly: true } : { type: 'file', destination, content: '' },
  );
  return [...shown.toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, mount]) => mount), ...covers];
}

/**
 * Ops that make the uppers of a view of the host look like what they stand for, and put the root of an ordinary user's together.
 *
 * @param scaffold absolute path of where that is made
 */
export function prepareHost({ scaffold: entries }: HostView, views: readonly [View, ...View[]], scaffold: string): Program {
  const [top] = views;
  const shown = views.flatMap((view) => (view.source === undefined ? [] : permitted(view.upperdir, view.source)));
  if (!entries) return shown;
  return [...shown, ...scaffolding(scaffold, entries), { op: 'fchmodat', dirfd: AT_FDCWD, pathname: top.upperdir, mode: 0o555 }];
}

/** Of an ordinary user all is its own there: what it may not do on the host it is not to be able to do. */
export function permitted(upperdir: string, source: string): Program {
  if (process.geteuid?.() === 0) return likeSource(upperdir, source);
  return [{ op: 'fchmodat', dirfd: AT_FDCWD, pathname: upperdir, mode: effectiveMode(source, statSync(source).mode) & 0o7777 }];
}

/** Ops that put the root of an ordinary user's view together: names, which the real things are mounted on. */
function scaffolding(top: string, entries: readonly ScaffoldEntry[]): Program {
  const at = (each: ScaffoldEntry): string => path.join(top, each.path);
  const directory = (pathname: string): Op => ({ op: 'mkdirat', dirfd: AT_FDCWD, pathname, mode: 0o755 });
  const closed = (pathname: string): Op => ({ op: 'fchmodat', dirfd: AT_FDCWD, pathname, mode: 0o555 });
  return [
    directory(top),
    ...entries.map((each): Op => {
      if (each.type === 'directory') return directory(at(each));
      if (each.type === 'symlink') return { op: 'symlinkat', target: each.target, newdirfd: AT_FDCWD, linkpath: at(each) };
      return { op: 'write_file', dirfd: AT_FDCWD, pathname: at(each), flags: O.WRONLY | O.CREAT | O.EXCL | O.CLOEXEC, mode: 0o444, data: '' };
    }),
    ...entries.filter(({ type }) => type === 'directory').map((each) => closed(at(each))),
    closed(top),
  ];
}
