import { userInfo } from 'node:os';
import { FILE_BOUNDS } from '../files/file-bounds.js';
import { FileError } from '../files/file-error.js';
import { readRegularText } from '../files/read-regular.js';
import { type IdRange, rangesInside } from '../model/id-range.js';
import { CLONE, MS } from '../ops/constants.js';
import type { Op } from '../ops/op.js';
import { mapSingleId } from '../recipes/user-namespace.js';
import { findProgram } from './find-program.js';
import { idMapArguments } from './id-map-arguments.js';

/**
 * The ids that processes of this user have in a container:
 * - `host`: those of the host, for root;
 * - `single`: only the user's own id, as root;
 * - `full`: the user's own id as root, and from 1 on the ids of /etc/subuid and /etc/subgid, unless `LAMELLA_SUBIDS=none` is set.
 */
export type IdMapping = { readonly kind: 'host' } | { readonly kind: 'single' } | FullMapping;

/** The ranges of the host for the ids from 1 on, and the programs that map them. */
export interface FullMapping {
  readonly kind: 'full';
  readonly uids: readonly IdRange[];
  readonly gids: readonly IdRange[];
  readonly newuidmap: string;
  readonly newgidmap: string;
}

let known: IdMapping | undefined;

/** Returns how ids are mapped for this process. The answer is kept. */
export function idMapping(): IdMapping {
  known ??= find();
  return known;
}

function find(): IdMapping {
  if (process.geteuid?.() === 0) return { kind: 'host' };
  if (process.env.LAMELLA_SUBIDS === 'none') return { kind: 'single' };
  const [newuidmap, newgidmap] = ['newuidmap', 'newgidmap'].map((name) => findProgram(name));
  const [uids, gids] = [ranges('/etc/subuid'), ranges('/etc/subgid')];
  if (!newuidmap || !newgidmap || !uids.length || !gids.length) return { kind: 'single' };
  return { kind: 'full', uids, gids, newuidmap, newgidmap };
}

/** Returns the ranges of this user, by name or number. */
function ranges(file: string): IdRange[] {
  let text: string;
  try {
    text = readRegularText(file, FILE_BOUNDS.host);
  } catch (error) {
    if (error instanceof FileError && ['ENOENT', 'EACCES'].includes((error.cause as NodeJS.ErrnoException | undefined)?.code ?? 'ENOENT')) return [];
    throw error;
  }
  const owners = new Set([String(process.getuid?.()), nameOfUser()]);
  return text.split('\n').flatMap((line) => {
    const [owner = '', start, count] = line.trim().split(':');
    const range = { start: Number(start), count: Number(count) };
    return owners.has(owner) && Number.isSafeInteger(range.start) && range.count > 0 ? [range] : [];
  });
}

/** Returns the name of the user, or the number if passwd(5) has no entry for it. */
function nameOfUser(): string | undefined {
  try {
    return userInfo().username;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_SYSTEM_ERROR') return undefined;
    throw error;
  }
}

/** Returns the first op of a program that runs in a user namespace whose ids are mapped from outside. */
export function ownUserNamespace(flags: number = 0): Op {
  return { op: 'unshare', flags: CLONE.NEWUSER + flags, reply: true };
}

/**
 * Returns the first ops of a program that mounts, or changes its root, only for itself: they make a mount namespace in which the
 * user is root. If ids are mapped from outside, the first op waits for that.
 */
export function ownMountNamespace(kind: IdMapping['kind'] = idMapping().kind): Op[] {
  if (kind === 'full') return [ownUserNamespace(CLONE.NEWNS), privately];
  if (kind === 'host') return [{ op: 'unshare', flags: CLONE.NEWNS }, privately];
  return [{ op: 'unshare', flags: CLONE.NEWNS | CLONE.NEWUSER }, ...mapSingleId({ uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 }), privately];
}

const privately: Op = { op: 'mount', source: null, target: '/', filesystemtype: null, mountflags: MS.REC | MS.PRIVATE, data: null };

/** Returns whether an op is that of {@link ownUserNamespace}. */
export function isOwnUserNamespace(op: Op | undefined): boolean {
  return op?.op === 'unshare' && op.reply === true && (op.flags & CLONE.NEWUSER) !== 0;
}

/**
 * Returns the id inside the user namespace for an id of the host. 0 is the user's own, and the ranges follow from 1 on.
 *
 * @returns 0 for an id that is not mapped, and for root's own
 */
export function insideId(mapping: IdMapping, which: 'uids' | 'gids', host: number): number {
  if (mapping.kind !== 'full') return host;
  const range = rangesInside(mapping[which]).find(({ start, count }) => host >= start && host < start + count);
  return range ? range.inside + host - range.start : 0;
}

/** Returns the commands of {@link mapIds}; none if no ids are mapped from outside. */
export function mapCommands(pid: string): readonly (readonly string[])[] {
  const mapping = idMapping();
  if (mapping.kind !== 'full') return [];
  return [
    [mapping.newuidmap, ...idMapArguments(pid, process.getuid?.() ?? 0, mapping.uids)],
    [mapping.newgidmap, ...idMapArguments(pid, process.getgid?.() ?? 0, mapping.gids)],
  ];
}

/**
 * Maps the user's ids into the new user namespace of a process with newuidmap(1) and newgidmap(1).
 *
 * @throws ProgramError `SUBIDS_DENIED`
 */
export async function mapIds(pid: number): Promise<void> {
  const mapping = idMapping();
  if (mapping.kind !== 'full') throw new TypeError('there are no ids to be mapped from outside');
  // Loaded only for users with such ids.
  const { newIdMap } = await import('./new-id-map.js');
  await Promise.all([
    newIdMap(mapping.newuidmap, pid, process.getuid?.() ?? 0, mapping.uids, '/etc/subuid'),
    newIdMap(mapping.newgidmap, pid, process.getgid?.() ?? 0, mapping.gids, '/etc/subgid'),
  ]);
}
