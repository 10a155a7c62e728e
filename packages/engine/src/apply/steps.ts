import type { Walked } from '@lamella/syscall';
import type { ContainerChange } from '../containers/changes.js';

/**
 * How one name of a host directory becomes what the container made of it. `n` names the new object in the
 * stage (`new/N`), and the old one (`old/N`).
 *
 * - `put`: nothing was there;
 * - `replace`: of two that are no directories the new takes the place of the old, at once;
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
  readonly was: Seen | undefined;
}

/** What proves that an object is the one that was seen. */
export interface Seen {
  readonly ctimeSeconds: number;
  readonly ctimeNanoseconds: number;
}

/** An object to be copied to the stage. */
export interface Staged {
  /** Where it is in the view. */
  readonly name: string;
  /** Where it goes, below `new/`. */
  readonly to: string;
  readonly directory: boolean;
  /** Another object that is the same file, below `new/`. */
  readonly linkTo: string | undefined;
}

/** All that is to be done to one host directory. */
export interface Work {
  readonly steps: readonly Step[];
  readonly staged: readonly Staged[];
}

/** Whether it is the one that was seen; or neither is there. */
export const isSame = (a: Seen | undefined, b: Seen | undefined): boolean => a?.ctimeSeconds === b?.ctimeSeconds && a?.ctimeNanoseconds === b?.ctimeNanoseconds;

export const seen = ({ ctimeSeconds, ctimeNanoseconds }: Walked): Seen => ({ ctimeSeconds, ctimeNanoseconds });

/**
 * What is to be done for changes of one view, which come sorted, parents before children. Those below a
 * directory that comes or goes as a whole are done with it.
 */
export function workFor(changes: readonly ContainerChange[]): Work {
  const steps: Step[] = [];
  const staged: Staged[] = [];
  const files = new Map<string, string>();
  /** The last name that came, or went, as a whole. */
  let top: { readonly name: string; readonly to: string | undefined; readonly gone: boolean } | undefined;
  const stage = ({ name, after, compared: { upper } }: ContainerChange, to: string): void => {
    const inode = upper && upper.links > 1 && after?.type !== 'directory' ? upper.inode : undefined;
    staged.push({ name, to, directory: after?.type === 'directory', linkTo: inode === undefined ? undefined : files.get(inode) });
    if (inode !== undefined && !files.has(inode)) files.set(inode, to);
  };
  for (const change of changes) {
    const { name, kind, before, after, compared } = change;
    if (top && name.startsWith(`${top.name}/`)) {
      if (kind === 'deleted') {
        if (top.gone) continue;
      } else if (top.to !== undefined) {
        stage(change, `${top.to}${name.slice(top.name.length)}`);
        continue;
      }
    }
    const n = steps.length;
    const was = compared.lower && seen(compared.lower);
    const isDirectory = after?.type === 'directory';
    const wasDirectory = before?.type === 'directory';
    if (kind === 'deleted') {
      steps.push({ do: 'remove', name, n, was });
      top = { name, to: undefined, gone: true };
      continue;
    }
    stage(change, String(n));
    if (kind === 'added') {
      steps.push({ do: 'put', name, n, was });
      top = { name, to: isDirectory ? String(n) : undefined, gone: false };
    } else if (isDirectory && wasDirectory) steps.push({ do: 'metadata', name, n, was });
    else {
      steps.push({ do: isDirectory || wasDirectory ? 'swap' : 'replace', name, n, was });
      top = { name, to: isDirectory ? String(n) : undefined, gone: wasDirectory };
    }
  }
  return { steps, staged };
}
