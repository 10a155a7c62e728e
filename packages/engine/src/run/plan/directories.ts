import { AT_FDCWD, type Op, type Program } from '@lamella/syscall';
import { prepareHost } from '../../filesystem/host/host-program.js';
import { likeSource } from '../../filesystem/volumes.js';
import { nothingOf, scaffoldOf } from '../../filesystem/writable-mounts.js';
import type { PlannedFilesystem } from './filesystem.js';
import type { PlannedIdentity } from './identity.js';
import type { PlanRequest } from './plan-request.js';

/** The directories that overlays need. All paths are absolute. */
export interface PlannedDirectories {
  /** Upper, work and merged directory of the root. */
  readonly ofRoot: readonly string[];
  /** Where fuse-overlayfs mounts what is not the root. */
  readonly mountPoints: readonly string[];
  /** Ops that make these, and those of the other overlays. */
  readonly make: Program;
}

/** Decides which directories are made before the container starts. An existing container has most of them already. */
export function planDirectories(
  { spec, life }: PlanRequest,
  { directory }: PlannedIdentity,
  { top, others, stack, fuse }: PlannedFilesystem,
): PlannedDirectories {
  const mountPoints = fuse.views.flatMap(([view, merged]) => (view === top ? [] : [merged]));
  const ofRoot = [top.upperdir, top.workdir, stack.merged];
  const all = [...ofRoot, ...others.flatMap((view) => [view.upperdir, view.workdir]), ...mountPoints];
  const make = all.map((pathname): Op => ({ op: 'mkdirat', dirfd: AT_FDCWD, pathname, mode: 0o755, ...(life.again ? { ignore: ['EEXIST'] } : {}) }));
  if (!life.again && !spec.host)
    make.push(...others.flatMap(({ upperdir, source, given }) => (source === undefined ? [] : likeSource(upperdir, source, given?.look))));
  if (spec.host) {
    const existing = life.again ? (life.again.spec.host?.overlays.length ?? 0) + 1 : 0;
    make.push(...prepareHost(spec.host, [top, ...others], [top, ...others].slice(existing), scaffoldOf(directory)));
    if (spec.host.overlays.some((each) => each.gone))
      make.push({ op: 'mkdirat', dirfd: AT_FDCWD, pathname: nothingOf(directory), mode: 0o755, ignore: ['EEXIST'] });
  }
  return { ofRoot, mountPoints, make };
}
