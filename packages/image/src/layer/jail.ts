import { CLONE, type IdMapping, MS, mapSingleId, type Op, ownUserNamespace, type Program } from '@lamella/syscall';

/**
 * Ops that lock the interpreter into a directory: with its own mount namespace and nothing but
 * the layer as its root, no `..`, link or name in an archive leads anywhere else. With ids to be
 * mapped from outside the first op is the one that waits for it.
 */
export function jail(directory: string, mapping: IdMapping): Program {
  const singleId = mapping.kind === 'single';
  const enter: Op[] = [
    mapping.kind === 'full' ? ownUserNamespace(CLONE.NEWNS) : { op: 'unshare', flags: CLONE.NEWNS + (singleId ? CLONE.NEWUSER : 0) },
    ...(singleId ? mapSingleId({ uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 }) : []),
    { op: 'mount', source: null, target: '/', filesystemtype: null, mountflags: MS.REC | MS.PRIVATE, data: null },
    { op: 'chdir', path: directory },
    { op: 'chroot', path: '.' },
    { op: 'umask', mask: 0 },
  ];
  return enter;
}
