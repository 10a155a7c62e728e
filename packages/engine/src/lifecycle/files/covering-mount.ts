import { confiningPlaceOf, DEFAULT_MOUNTS, normalizedPath } from '@lamella/namespace';
import type { ContainerFiles } from './container-root.js';

/** What is mounted over a path of a container, and cannot be written to. */
export interface Cover {
  /** The rest of a sentence. */
  readonly why: string;
  readonly hint: string;
  /** Nothing is in it. */
  readonly empty: boolean;
}

const START = 'Start the container first: what is in memory is there while it runs only.';

/** Finds what covers a path, by the path alone. @returns undefined where nothing that covers it prevents a copy */
export function coverOf(pathname: string, files: ContainerFiles): Cover | undefined {
  const { spec, kind, shifted } = files;
  const covers: (Cover & { readonly at: string })[] = [
    ...(spec.readonlyRoot ? [{ at: '/', why: 'its root is read-only', hint: 'Copy to a volume of it, or run it without --read-only.', empty: false }] : []),
    ...(kind === 'stopped'
      ? DEFAULT_MOUNTS.map(({ destination }) => ({ at: destination, why: `${destination} is made anew at each start`, hint: START, empty: true }))
      : []),
    ...(spec.tmpfs ?? []).flatMap(({ destination, readonly }) =>
      kind === 'stopped'
        ? [{ at: destination, why: `${destination} is a tmpfs, which is empty while it does not run`, hint: START, empty: true }]
        : readonly
          ? [{ at: destination, why: `the tmpfs ${destination} is read-only`, hint: 'Copy to another place.', empty: false }]
          : [{ at: destination, why: '', hint: '', empty: false }],
    ),
    ...(spec.volumes ?? []).map(({ source, destination, readonly, overlay, idmap }) => ({
      at: destination,
      why: readonly
        ? `the volume ${source} is read-only there`
        : kind === 'stopped' && shifted && !overlay && !idmap
          ? `the volume ${source} has other ids than it`
          : '',
      hint: readonly ? `Copy to ${source} on the host, or to another place.` : 'Start the container first.',
      empty: false,
    })),
  ];
  const at = normalizedPath(pathname);
  const found = covers.filter((each) => confiningPlaceOf(at, [normalizedPath(each.at)]) !== undefined).toSorted((a, b) => depth(b.at) - depth(a.at))[0];
  return found?.why ? found : undefined;
}

function depth(pathname: string): number {
  const at = normalizedPath(pathname);
  return at === '/' ? 0 : at.split('/').length - 1;
}
