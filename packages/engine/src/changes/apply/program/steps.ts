import type { ContainerChange } from '../../changes.js';
import { type Fingerprint, fingerprintOf } from '../inspect/fingerprint.js';
import { isOnlyLinks, type Links } from '../inspect/hard-links.js';
import { namesAbove } from '../inspect/parent-directories.js';

/**
 * How one name of a host directory becomes what the container made of it. `n` names the new object in the
 * stage (`new/N`), and the old one (`old/N`).
 *
 * - `put`: nothing was there;
 * - `replace`: neither is a directory, and the new object replaces the old one at once;
 * - `swap`: one of both is a directory, and the old one is moved away first;
 * - `remove`: with all that is in it;
 * - `metadata`: of a directory that stays.
 */
export interface Step {
  readonly do: 'put' | 'replace' | 'swap' | 'remove' | 'metadata';
  /** Bytes below the top of the view, as latin1. */
  readonly name: string;
  readonly n: number;
  /** What was there when it was decided; nothing for `put`. */
  readonly was: Fingerprint | undefined;
  /** The new object is another name of this file of the host. */
  readonly linkTo?: string;
  /** The host had changed the target, or something in it: what was there is known to nobody but the host. */
  readonly conflict?: true;
}

/** An object to be copied to the stage, or to be kept. */
export interface Staged {
  /** Where it is in the view, or below the source. */
  readonly name: string;
  /** Where it goes: `N`, or below that. */
  readonly to: string;
  readonly directory: boolean;
  /** Another one of these that is the same file, by its `to`. */
  readonly linkTo: string | undefined;
  /** What the copy is to be. */
  readonly meant: Fingerprint;
  /** For messages. */
  readonly path: string;
}

/** All that is to be done to one host directory. */
export interface Work {
  readonly steps: readonly Step[];
  /** The new objects, of the view. */
  readonly staged: readonly Staged[];
  /** The old ones, of the host. */
  readonly replaced: readonly Staged[];
}

/**
 * What is to be done for changes of one view, which come sorted, parents before children. Those below a
 * directory that comes or goes as a whole are done with it.
 */
export function workFor(changes: readonly ContainerChange[], links: Links, conflicts: readonly ContainerChange[]): Work {
  const steps: Step[] = [];
  const met = new Set([...conflicts].flatMap((change) => [change.name, ...namesAbove(change.name)]));
  const staged: Staged[] = [];
  const replaced: Staged[] = [];
  const files = new Map<ContainerChange, string>();
  const hosts = new Map<string, string>();
  /** The last name that came, or went, as a whole. */
  let top: { readonly name: string; readonly n: number; readonly to: string | undefined; readonly gone: boolean } | undefined;
  const stage = (change: ContainerChange, to: string): void => {
    const source = links.sourceOf(change);
    const { upper } = source.compared;
    if (!upper) return;
    const linkTo = change.after?.type === 'directory' ? undefined : files.get(source);
    staged.push({ name: source.name, to, directory: change.after?.type === 'directory', linkTo, meant: fingerprintOf(upper), path: change.path });
    if (!files.has(source)) files.set(source, to);
  };
  const keep = ({ name, before, path, compared: { lower } }: ContainerChange, to: string): void => {
    if (!lower) return;
    const directory = before?.type === 'directory';
    const file = !directory && lower.links > 1 ? lower.inode : undefined;
    replaced.push({ name, to, directory, linkTo: file === undefined ? undefined : hosts.get(file), meant: fingerprintOf(lower), path });
    if (file !== undefined && !hosts.has(file)) hosts.set(file, to);
  };
  for (const change of changes) {
    if (isOnlyLinks(change)) continue;
    const { name, kind, before, after, compared } = change;
    if (top && name.startsWith(`${top.name}/`)) {
      if (top.gone && compared.lower) keep(change, `${top.n}${name.slice(top.name.length)}`);
      if (kind === 'deleted') {
        if (top.gone) continue;
      } else if (top.to !== undefined && links.anchorOf(change) === undefined) {
        stage(change, `${top.to}${name.slice(top.name.length)}`);
        continue;
      }
    }
    const n = steps.length;
    const anchor = links.anchorOf(change);
    const common = {
      name,
      n,
      was: compared.lower && fingerprintOf(compared.lower),
      ...(anchor === undefined ? {} : { linkTo: anchor }),
      ...(met.has(name) || (anchor !== undefined && met.has(anchor)) ? { conflict: true as const } : {}),
    };
    const isDirectory = after?.type === 'directory';
    const wasDirectory = before?.type === 'directory';
    if (compared.lower) keep(change, String(n));
    if (kind === 'deleted') {
      steps.push({ ...common, do: 'remove' });
      top = { name, n, to: undefined, gone: true };
      continue;
    }
    if (anchor === undefined) stage(change, String(n));
    if (kind === 'added' || (top && name.startsWith(`${top.name}/`))) {
      const within = top && name.startsWith(`${top.name}/`);
      steps.push({ ...common, do: 'put', was: undefined });
      // A link in a new directory is made once that directory is where it belongs.
      if (!within) top = { name, n, to: isDirectory ? String(n) : undefined, gone: false };
    } else if (isDirectory && wasDirectory) steps.push({ ...common, do: 'metadata' });
    else {
      steps.push({ ...common, do: isDirectory || wasDirectory ? 'swap' : 'replace' });
      top = { name, n, to: isDirectory ? String(n) : undefined, gone: wasDirectory };
    }
  }
  return { steps, staged, replaced };
}
