import { readdirSync, statSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { AT_FDCWD, ignoreMissing, LOCK, type MountPoint, O, type Program, readMounts, runInUserNamespace, SyscallError } from '@lamella/syscall';
import { type Claim, parseJournal } from './claims.js';
import { CleanupError } from './cleanup-error.js';
import { RELEASE_OPTIONS, read } from './option-shapes.js';
import { type ContainerRecord, directoryOf, gateOf, journalOf, keptOf, lockOf } from './record.js';
import { releaseContainer, releaseKept } from './release.js';

/** The result of a sweep. */
export interface SweepResult {
  /** Ids of dead containers whose traces are gone now. */
  readonly released: readonly string[];
  /** Ids of containers that live. */
  readonly alive: readonly string[];
  /** Ids of containers that are kept on purpose. */
  readonly kept: readonly string[];
  /** What could not be released, and why. */
  readonly failed: readonly CleanupError[];
}

/**
 * Releases what dead containers left. A container is dead when its lock can be taken. Costs one readdir when there is
 * nothing. A directory in which no container was ever claimed is left alone: it has no gate (`.lock`), and what is in
 * it is not ours.
 *
 * @param containers absolute path of the directory of all containers; it need not exist
 */
export async function sweep(containers: string): Promise<SweepResult> {
  const released: string[] = [];
  const alive: string[] = [];
  const kept: string[] = [];
  const failed: CleanupError[] = [];
  const names = list(containers);
  const ids = names.includes(path.basename(gateOf(containers))) ? names.filter((name) => !name.startsWith('.')) : [];
  const held: HeldLocks = ids.length ? await heldLocks() : new Map();
  for (const id of ids) {
    const record = { containers, id };
    if (monitorOf(record, held) !== undefined) alive.push(id);
    else {
      const stays = await exists(keptOf(record));
      // One that ended by itself has released all but what stays.
      const outcome = stays && !(await exists(journalOf(record))) ? 'released' : await releaseDead(record, { keep: stays });
      if (outcome === 'released') (stays ? kept : released).push(id);
      else if (outcome === 'alive') alive.push(id);
      else failed.push(outcome);
    }
  }
  return { released, alive, kept, failed };
}

/**
 * Takes the lock of one container and, if that works, releases it, kept or not; with `keep` all but what stays. `alive` when its
 * monitor holds the lock.
 */
export async function releaseDead(record: ContainerRecord, options: { readonly keep?: boolean } = {}): Promise<'released' | 'alive' | CleanupError> {
  const { keep = false } = read('releaseDead(record, options)', options, RELEASE_OPTIONS);
  const claims = await claimsLeft(record);
  const ops: Program = [
    // A process between mkdir and flock holds the gate: then the container is about to start, and not dead.
    { op: 'openat', dirfd: AT_FDCWD, pathname: gateOf(record.containers), flags: O.RDWR | O.CREAT | O.CLOEXEC, mode: 0o600, out: 5 },
    { op: 'flock', fd: 5, operation: LOCK.EX | LOCK.NB },
    { op: 'openat', dirfd: AT_FDCWD, pathname: lockOf(record), flags: O.RDWR | O.CREAT | O.CLOEXEC, mode: 0o600, out: 6 },
    { op: 'flock', fd: 6, operation: LOCK.EX | LOCK.NB },
    { op: 'close', fd: 5 },
    // First of all it is no longer kept: what an interruption leaves of it is swept then.
    ...(keep
      ? releaseKept(record, claims)
      : ([{ op: 'unlinkat', dirfd: AT_FDCWD, pathname: keptOf(record), flags: 0, ignore: ['ENOENT'] }, ...releaseContainer(record, claims)] as const)),
  ];
  try {
    await runInUserNamespace(ops);
    return 'released';
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    if (error.syscall === 'flock' && error.code === 'EAGAIN') return 'alive';
    // Another sweep was faster: its lock was the file that is gone.
    if (error.code === 'ENOENT' && (error.syscall === 'openat' || !(await exists(directoryOf(record))))) return 'released';
    return new CleanupError({
      code: 'CLEANUP_INCOMPLETE',
      message: `what container ${record.id} left cannot be released: ${error.message}`,
      hint: 'Something still uses it. End that, then run `lamella sweep`.',
      cause: error,
    });
  }
}

/** At once: this is what every run pays, and mostly finds nothing. */
function list(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    ignoreMissing(error as NodeJS.ErrnoException);
    return [];
  }
}

async function exists(file: string): Promise<boolean> {
  return (await stat(file).catch(ignoreMissing)) !== undefined;
}

/** What a container that died has left, as far as it is its own; nothing of one that ended by itself. */
export async function claimsLeft(record: ContainerRecord): Promise<readonly Claim[]> {
  const text = await readFile(journalOf(record), 'utf8').catch(ignoreMissing);
  return text === undefined ? [] : ours(parseJournal(text));
}

/** After a reboot another user's mount may be where ours was: leave that one alone. */
function ours(claims: readonly Claim[]): readonly Claim[] {
  if (!claims.some((claim) => claim.kind === 'mount')) return claims;
  const mounts = readMounts();
  return claims.filter((claim) => {
    if (claim.kind !== 'mount') return true;
    const mount = mounts.findLast(({ point }) => point === claim.path);
    if (!mount) return false;
    return claim.upperdir === undefined || isUpper(mount, claim.upperdir);
  });
}

/**
 * Whether a mount is an overlay with this upper. Overlayfs escapes its options, too; a stack of many layers
 * names the upper by a descriptor's number. fuse-overlayfs(1) tells the kernel of no upper.
 */
function isUpper({ type, superOptions }: MountPoint, upperdir: string): boolean {
  if (type === 'fuse.fuse-overlayfs') return true;
  if (type !== 'overlay') return false;
  const bare = (text: string): string => text.replaceAll('\\', '');
  // A comma of a path is escaped, and parts nothing.
  const shown = /(?:^|,)upperdir=((?:\\.|[^,\\])*)/.exec(superOptions)?.[1] ?? '';
  return /^(?:\/proc\/self\/fd\/)?\d+$/.test(shown) || bare(shown) === bare(upperdir);
}

/** Files that /proc/locks says are flocked, and by which process: a cheap yes, so that the living cost no process. */
export type HeldLocks = ReadonlyMap<string, number>;

/** Returns which process holds which lock. */
export async function heldLocks(): Promise<HeldLocks> {
  const text = await readFile('/proc/locks', 'utf8').catch(ignoreMissing);
  const held = new Map<string, number>();
  for (const line of (text ?? '').split('\n')) {
    const match = /FLOCK\s+ADVISORY\s+\S+\s+(\d+)\s+([0-9a-f]+):([0-9a-f]+):(\d+)/.exec(line);
    if (match) held.set(`${Number.parseInt(match[2] ?? '', 16)}:${Number.parseInt(match[3] ?? '', 16)}:${match[4]}`, Number(match[1]));
  }
  return held;
}

/** How /proc/locks calls the locks seen here: a container's is one file from its making to its removal. */
const known = new Map<string, string>();

/** The pid of a container's monitor, by the lock it holds; undefined when nobody does. */
export function monitorOf(record: ContainerRecord, held: HeldLocks): number | undefined {
  const file = lockOf(record);
  const before = known.get(file);
  const monitor = before === undefined ? undefined : held.get(before);
  if (monitor !== undefined) return monitor;
  // At once: of a thousand that live each costs microseconds, and a trip to the thread pool ten times that.
  const lock = statSync(file, { throwIfNoEntry: false });
  if (!lock) {
    known.delete(file);
    return undefined;
  }
  const major = (lock.dev >> 8) & 0xfff;
  const minor = (lock.dev & 0xff) | ((lock.dev >> 12) & 0xfff00);
  const name = `${major}:${minor}:${lock.ino}`;
  const found = held.get(name);
  // What is dead is not remembered: it goes, and its inode comes back as another's.
  if (found === undefined) known.delete(file);
  else known.set(file, name);
  return found;
}
