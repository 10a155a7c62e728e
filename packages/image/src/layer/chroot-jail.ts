import { type IdMapping, ownMountNamespace, type Program } from '@lamella/syscall';

/**
 * Ops that lock the interpreter into a directory: with a new mount namespace and nothing but
 * the layer as its root, no `..`, link or name in an archive leads anywhere else. With ids to be
 * mapped from outside the first op is the one that waits for it.
 */
export function jail(directory: string, ids?: IdMapping['kind']): Program {
  return [...ownMountNamespace(ids), { op: 'chdir', path: directory }, { op: 'chroot', path: '.' }, { op: 'umask', mask: 0 }];
}
