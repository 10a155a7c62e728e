import { AT, AT_FDCWD, MNT, type Op, type Program } from '@lamella/syscall';
import type { Claim } from './claims.js';
import { type ContainerRecord, controlOf, directoryOf, journalOf } from './record.js';

/** Returns the op that releases one claim. It succeeds if the resource is already gone. */
function releaseOne(claim: Claim): Op {
  switch (claim.kind) {
    case 'mount':
      return { op: 'umount2', target: claim.path, flags: MNT.DETACH | MNT.UMOUNT_NOFOLLOW, ignore: ['EINVAL', 'ENOENT'] };
    case 'empty':
      return { op: 'unlinkat', dirfd: AT_FDCWD, pathname: claim.path, flags: AT.REMOVEDIR, ignore: ['ENOENT', 'ENOTEMPTY', 'ENOTDIR'] };
    case 'directory':
      return { op: 'rmtree', dirfd: AT_FDCWD, pathname: claim.path };
  }
}

/** Ops that give claims back, in the reverse order of their making. */
export function release(claims: readonly Claim[]): Program {
  return claims.toReversed().map(releaseOne);
}

/** The same for a container that stays: its own directory is there for the next time, journal and socket are gone. */
export function releaseKept(record: ContainerRecord, claims: readonly Claim[]): Program {
  return [
    ...release(claims),
    ...[controlOf(record), journalOf(record)].map((pathname): Op => ({ op: 'unlinkat', dirfd: AT_FDCWD, pathname, flags: 0, ignore: ['ENOENT'] })),
  ];
}

/** The same, and then the container's own directory, journal and lock included. */
export function releaseContainer(record: ContainerRecord, claims: readonly Claim[]): Program {
  return [...release(claims), { op: 'rmtree', dirfd: AT_FDCWD, pathname: directoryOf(record) }];
}
