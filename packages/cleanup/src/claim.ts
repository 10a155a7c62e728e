import { AT_FDCWD, LOCK, O, type Program, type SlotAllocator } from '@lamella/syscall';
import { type Claim, formatJournal } from './claims.js';
import { CLAIM_OPTIONS, read } from './option-shapes.js';
import { type ContainerRecord, directoryOf, gateOf, journalOf, lockOf } from './record.js';
import { release } from './release.js';

/**
 * Ops that make a container's directory, lock it for as long as the interpreter lives, and write
 * its claims down. They come first in a program; whatever is claimed is made after them. With
 * `durable` the journal reaches the disk before anything else happens, for claims outside of the
 * container's own directory.
 */
export function claim(record: ContainerRecord, claims: readonly Claim[], slots: SlotAllocator, options: { readonly durable?: boolean } = {}): Program {
  const { durable = false } = read('claim(record, claims, slots, options)', options, CLAIM_OPTIONS);
  const gate = slots();
  const lock = slots();
  const flags = O.WRONLY | O.CREAT | O.EXCL | O.CLOEXEC;
  const journal: Program =
    claims.length === 0
      ? [] // The directory itself is the claim.
      : durable
        ? writeDurably(journalOf(record), claims, slots)
        : [{ op: 'write_file', dirfd: AT_FDCWD, pathname: journalOf(record), flags, mode: 0o600, data: formatJournal(claims) }];
  return [
    { op: 'openat', dirfd: AT_FDCWD, pathname: gateOf(record.containers), flags: O.RDWR | O.CREAT | O.CLOEXEC, mode: 0o600, out: gate },
    { op: 'flock', fd: gate, operation: LOCK.SH },
    { op: 'mkdirat', dirfd: AT_FDCWD, pathname: directoryOf(record), mode: 0o700 },
    { op: 'openat', dirfd: AT_FDCWD, pathname: lockOf(record), flags: O.RDWR | O.CREAT | O.CLOEXEC, mode: 0o600, out: lock },
    { op: 'flock', fd: lock, operation: LOCK.EX },
    { op: 'close', fd: gate },
    ...journal,
  ];
}

/**
 * Ops that lock a container that was kept, for another life of it, give back what its last life left, and write the new
 * claims down. `EAGAIN` of their flock says that it lives, `ENOENT` of their openat that it is gone.
 *
 * @param left see {@link claimsLeft}
 */
export function claimAgain(record: ContainerRecord, claims: readonly Claim[], slots: SlotAllocator, left: readonly Claim[] = []): Program {
  const gate = slots();
  const lock = slots();
  return [
    { op: 'openat', dirfd: AT_FDCWD, pathname: gateOf(record.containers), flags: O.RDWR | O.CREAT | O.CLOEXEC, mode: 0o600, out: gate },
    { op: 'flock', fd: gate, operation: LOCK.SH },
    { op: 'openat', dirfd: AT_FDCWD, pathname: lockOf(record), flags: O.RDWR | O.CLOEXEC, mode: 0, out: lock },
    { op: 'flock', fd: lock, operation: LOCK.EX | LOCK.NB },
    { op: 'close', fd: gate },
    ...release(left),
    {
      op: 'write_file',
      dirfd: AT_FDCWD,
      pathname: journalOf(record),
      flags: O.WRONLY | O.CREAT | O.TRUNC | O.CLOEXEC,
      mode: 0o600,
      data: formatJournal(claims),
    },
  ];
}

/** Returns ops that replace the first claims by others: what was about to be made exists now. */
export function reclaim(record: ContainerRecord, claims: readonly Claim[], slots: SlotAllocator): Program {
  const next = `${journalOf(record)}.next`;
  return [
    ...writeDurably(next, claims, slots),
    { op: 'renameat2', olddirfd: AT_FDCWD, oldpath: next, newdirfd: AT_FDCWD, newpath: journalOf(record), flags: 0 },
  ];
}

function writeDurably(pathname: string, claims: readonly Claim[], slots: SlotAllocator): Program {
  const file = slots();
  return [
    { op: 'openat', dirfd: AT_FDCWD, pathname, flags: O.WRONLY | O.CREAT | O.EXCL | O.CLOEXEC, mode: 0o600, out: file },
    { op: 'write', fd: file, buf: formatJournal(claims) },
    { op: 'fsync', fd: file },
    { op: 'close', fd: file },
  ];
}
