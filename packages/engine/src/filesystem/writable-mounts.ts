import path from 'node:path';
import type { OwnIds } from '../model/container-ids.js';
import type { HostOverlay } from '../model/host-view.js';
import type { Lowers } from '../model/lowers.js';
import type { RunSpec } from '../model/run-spec.js';
import type { Sources } from '../model/source.js';
import type { Volume } from '../model/volume.js';
import type { CheckedMount, WritableMount } from '../model/writable-mount.js';
import { skeleton } from './skeleton.js';
import type { CheckedSources } from './sources/check-sources.js';
import { usesFuse } from './uses-fuse.js';

/** What a container's views are made of. */
export interface ViewParts {
  /** Absolute path of the store. */
  readonly root: string;
  /** Absolute path of the container's own directory. */
  readonly directory: string;
  readonly spec: Pick<RunSpec, 'workspace' | 'volumes' | 'host'>;
  /** The id ranges of its user namespace, if it has one. */
  readonly ids: OwnIds | undefined;
  readonly lowers: Pick<Lowers, 'trees'>;
  /** Ids of the states it stands on, the latest first. */
  readonly frozen: readonly string[];
  /** What it was given of the host. */
  readonly sources: Sources;
}

/** The views of a container: its root, then directories of the host, then volumes whose changes are kept apart. */
export function writableMountsOf({ root, directory, spec, lowers, frozen, ids, sources }: ViewParts): readonly [WritableMount, ...WritableMount[]] {
  const place = spec.workspace ?? directory;
  const states = (name: string): string[] => frozen.map((id) => path.join(stateDirectory(root, id), name));
  const top: WritableMount = {
    destination: '/',
    upperdir: path.join(place, 'upper'),
    workdir: path.join(place, 'work'),
    frozen: states('upper'),
    files: usesFuse(ids, place === directory ? root : place),
    lowerdirs: spec.host ? [spec.host.scaffold ? scaffoldOf(directory) : '/'] : [...lowers.trees, skeleton(root)],
    source: spec.host && !spec.host.scaffold ? '/' : undefined,
  };
  const hosts = spec.host?.overlays.map(({ path: each, ...rest }) => ({ source: each, destination: each, ...rest })) ?? [];
  const others = [...hosts, ...overlayVolumes(spec)].map(({ source: asked, destination, ...rest }, i): WritableMount => {
    const source = sources.get(asked)?.path ?? asked;
    const name = `upper.${i + 1}`;
    const { assembled = false } = rest as Partial<HostOverlay>;
    // Of a directory in a view of the host that nothing is recorded of: it went, or became something else, before it was looked at.
    const gone = i < hosts.length && (hosts[i]?.gone || !sources.has(asked));
    return {
      destination: path.posix.resolve(destination),
      upperdir: path.join(directory, name),
      workdir: path.join(directory, `work.${i + 1}`),
      frozen: states(name),
      files: usesFuse(ids, root),
      ...(gone
        ? { lowerdirs: [nothingOf(directory)], source: undefined, gone: (rest as Partial<HostOverlay>).was?.path ?? asked }
        : { lowerdirs: [assembled ? path.join(scaffoldOf(directory), asked) : source], ...(assembled ? { compared: [source] } : {}), source }),
    };
  });
  return [top, ...others];
}

/** Views, with what is expected of their sources. Changes in a directory that is gone are seen above nothing. */
export function checkedMounts(views: readonly [WritableMount, ...WritableMount[]], { now, gone }: CheckedSources): readonly [CheckedMount, ...CheckedMount[]] {
  const byPath = new Map([...now.values()].map((each) => [each.path, each]));
  const checked = (view: WritableMount): CheckedMount => {
    // The source of a volume may be the same directory, and then that was refused.
    if (view.source !== undefined && gone?.has(view.source)) return { ...aboveNothing(view), given: undefined, expected: {} };
    const given = view.source === undefined || view.source === '/' ? undefined : byPath.get(view.source);
    return { ...view, given, expected: given === undefined ? {} : { [given.path]: given.identity } };
  };
  const [top, ...others] = views;
  return [checked(top), ...others.map(checked)];
}

/** A view whose directory is gone: all that the container has there is shown as new. */
export function aboveNothing<Seen extends WritableMount>({ compared, ...view }: Seen): Omit<Seen, 'compared'> & WritableMount {
  return { ...view, lowerdirs: [nothingOf(path.dirname(view.upperdir))], source: undefined, ...(view.source === undefined ? {} : { gone: view.source }) };
}

/** Where what the root of an ordinary user's view of the host is made of is put together. */
export function scaffoldOf(directory: string): string {
  return path.join(directory, 'scaffold');
}

/** A directory with nothing in it: what changes to a directory that is gone are seen on. */
export function nothingOf(directory: string): string {
  return path.join(directory, 'nothing');
}

/** Those volumes that do not reach the host. */
export function overlayVolumes({ volumes = [] }: Pick<RunSpec, 'volumes'>): readonly Volume[] {
  return volumes.filter((each) => each.overlay);
}

/** Where a frozen state of uppers is. */
export function stateDirectory(root: string, id: string): string {
  return path.join(root, 'frozen', id);
}
