import { AT_FDCWD, LOCK, O, type Op, type Program, type SlotAllocator } from '@lamella/syscall';
import { type Claim, formatJournal } from './claims.js';
import { type ContainerRecord, directoryOf, gateOf, journalOf, lockOf } from './record.js';

/**
 * Ops that make a container's directory, lock it for as long as the interpreter lives, and write
 * its claims down. They come first in a program; whatever is claimed is made after them. With
 * `durable` the journal reaches the disk before anything else happens, for claims outside of the
 * container's own directory.
 */
export function claim(
  record: ContainerRecord,
  claims: readonly Claim[],
  slots: SlotAllocator,
  { durable = false }: { readonly durable?: boolean } = {},
): Program {
  const gate = slots();
  const lock = slots();
  const data = formatJournal(claims);
  const journal: Op[] = [];
  if (claims.length === 0) {
    // The directory itself is the claim.
  } else if (durable) {
    const file = slots();
    journal.push(
      { op: 'openat', dirfd: AT_FDCWD, pathname: journalOf(record), flags: O.WRONLY | O.CREAT | O.EXCL | O.CLOEXEC, mode: 0o600, out: file },
      { op: 'write', fd: file, buf: data },
      { op: 'fsync', fd: file },
      { op: 'close', fd: file },
    );
  } else {
    journal.push({
      op: 'write_file',
      dirfd: AT_FDCWD,
      pathname: journalOf(record),
      flags: O.WRONLY | O.CREAT | O.EXCL | O.CLOEXEC,
      mode: 0o600,
      data,
    });
  }
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
