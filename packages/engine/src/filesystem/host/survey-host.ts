import { realpathSync, statSync } from 'node:fs';
import path from 'node:path';
import { type MountPoint, readMounts } from '@lamella/syscall';
import { EngineError } from '../../model/engine-error.js';
import type { HostOverlay, HostPath, HostView } from '../../model/host-view.js';
import type { Source, Sources } from '../../model/source.js';
import { assemble } from './assemble-root.js';
import { isOverlaid, isWithin, look, OWN } from './host-paths.js';
import { writablePlaces } from './writable-directories.js';

/** What says where a command is going to write. */
export interface Intent {
  /** Absolute path. */
  readonly cwd: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Looks at what this process sees, and decides how a container is to see it. Names may come and go meanwhile.
 *
 * @param hide absolute paths
 * @throws EngineError `HIDE_INVALID`
 */
export function surveyHost(hide: readonly string[], intent: Intent): HostView {
  const mounts = visibleMounts().filter(({ point }) => !OWN.some((own) => isWithin(point, own)));
  const hidden = hide.map(hiddenPath);
  return process.geteuid?.() === 0 ? { ...asRoot(mounts), hidden } : { ...asUser(mounts, intent), hidden };
}

/** What an overlay of a view is to its container: nothing was changed in it; it is what it was when something was; or it is something else. */
export type OverlayState = 'untouched' | 'same' | 'other';

/**
 * The view of a container that goes on, from what it was and what the host is now. Uppers keep their numbers: a directory that is not there
 * any more is `gone`, and one that came is added.
 *
 * @param recorded what the container was given
 * @param stateOf what became of an overlay since; given its place in the list, and what was there
 */
export function resumeHostView(
  before: HostView,
  now: HostView,
  recorded: Sources,
  stateOf: (overlay: HostOverlay, index: number, was: Source | undefined) => OverlayState,
): HostView {
  const mounted = new Set(now.overlays.filter((each) => each.mount).map((each) => each.path));
  const assembled = new Set(now.overlays.filter((each) => each.assembled).map((each) => each.path));
  const taken = new Set<string>();
  const lost: string[] = [];
  const overlays = before.overlays.map((each, i): HostOverlay => {
    const { path: at, mount } = each;
    const was = each.was ?? (each.gone ? undefined : recorded.get(at));
    const state = stateOf(each, i, was);
    const kept = state === 'untouched' || (state === 'same' && mounted.has(at) === (mount === true));
    if (taken.has(at) || !kept || look(at)?.isDirectory() !== true) {
      if (!each.gone && state !== 'untouched') lost.push(at);
      return { path: at, ...(mount ? { mount } : {}), gone: true, ...(was ? { was } : {}) };
    }
    taken.add(at);
    return { path: at, ...(mounted.has(at) ? { mount: true } : {}), ...(assembled.has(at) ? { assembled: true } : {}), ...(each.was ? { was: each.was } : {}) };
  });
  const notes = lost.map((at) => `${at} is not what it was before: what was changed in it is kept, and not shown.`);
  return {
    ...now,
    overlays: [...overlays, ...now.overlays.filter((each) => !taken.has(each.path))],
    hidden: before.hidden.filter((each) => look(each.path)),
    notes: [...notes, ...(now.notes ?? [])],
  };
}

/** Mounts that nothing covers, parents first. */
function visibleMounts(): MountPoint[] {
  // A later mount hides all that is at its place and below.
  return readMounts()
    .filter(({ point }, i, all) => !all.slice(i + 1).some((later) => isWithin(point, later.point)))
    .sort((a, b) => (a.point < b.point ? -1 : 1));
}

/** Where the filesystem that a real path is on is mounted. */
export function mountPointOf(real: string): string {
  return visibleMounts().findLast(({ point }) => isWithin(real, point))?.point ?? '/';
}

function asRoot(mounts: readonly MountPoint[]): Omit<HostView, 'hidden'> {
  const overlays: HostOverlay[] = [];
  const binds: HostPath[] = [];
  for (const mount of mounts) {
    const { point } = mount;
    if (point === '/') continue;
    const found = look(point);
    if (!found) continue;
    if (found.isDirectory() && isOverlaid(mount)) overlays.push({ path: point, mount: true });
    else binds.push({ path: point, directory: found.isDirectory() });
  }
  return { overlays, binds };
}

/** What has no other mount below it gets an overlay; a directory that has is put together from what is in it. */
function asUser(mounts: readonly MountPoint[], intent: Intent): Omit<HostView, 'hidden'> {
  const wanted = namedPlaces(intent);
  const assembly = assemble(mounts, wanted);
  const places = writablePlaces(assembly, wanted);
  return {
    scaffold: assembly.scaffold,
    overlays: [...assembly.overlays, ...places.found.map((each) => ({ path: each }))],
    binds: assembly.binds,
    notes: [...assembly.notes, ...places.notes],
    ...(places.doubt === undefined ? {} : { doubt: places.doubt }),
  };
}

/** Places that a command is likely to write to, as real paths: where it starts, and what its words and environment name. */
function namedPlaces({ cwd, args, env }: Intent): readonly string[] {
  const named = [cwd, env.HOME, env.TMPDIR, '/tmp', '/var/tmp', `/run/user/${process.geteuid?.()}`, '/run/lock'].filter((each) => each !== undefined);
  for (const text of [...args, ...Object.values(env)])
    for (const word of text.slice(0, 65536).split(/[\s:=,;'"()<>|&]+/)) {
      if (!word.includes('/') || word.length > 4096) continue;
      named.push(word.startsWith('~/') ? path.join(env.HOME ?? '/', word.slice(2)) : path.resolve(cwd, word));
      if (named.length > 1000) break;
    }
  return [...new Set([...new Set(named)].map(nearest))];
}

/** What exists of a path, without links in it. */
function nearest(file: string): string {
  try {
    return realpathSync(file);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (!['ENOENT', 'EACCES', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG', 'ESTALE', 'EIO', 'ENOTCONN', 'ERR_INVALID_ARG_VALUE'].includes(code ?? '')) throw error;
    return file === '/' || code === 'ERR_INVALID_ARG_VALUE' ? '/' : nearest(path.dirname(file));
  }
}

function hiddenPath(file: string): HostPath {
  try {
    const real = realpathSync(file);
    if (real === '/') throw new EngineError({ code: 'HIDE_INVALID', message: '/ cannot be hidden', hint: 'Name what is not to be read.' });
    return { path: real, directory: statSync(real).isDirectory() };
  } catch (error) {
    if (error instanceof EngineError) throw error;
    throw new EngineError({
      code: 'HIDE_INVALID',
      message: `${file} cannot be hidden: ${(error as NodeJS.ErrnoException).code}`,
      hint: 'Name a path that exists: only that can be covered.',
      cause: error,
    });
  }
}
