import { statfsSync } from 'node:fs';
import { release } from 'node:os';
import path from 'node:path';
import { prctl } from '@lamella/namespace';
import { findFuseOverlay } from '@lamella/overlay';
import {
  AT,
  AT_FDCWD,
  FILE_BOUNDS,
  type FullMapping,
  type IdRange,
  idMapping,
  insideId,
  MOUNT_ATTR,
  MOVE_MOUNT,
  mountSetattr,
  O,
  type ObjectIdentity,
  OPEN_TREE,
  type Op,
  openObject,
  PR,
  type Program,
  readOptionalText,
  type SlotAllocator,
  unfitForUpper,
} from '@lamella/syscall';
import type { IdMap, OwnIds } from '../model/container-ids.js';
import { EngineError } from '../model/engine-error.js';
import type { UserNamespace } from '../model/user-namespace.js';
import { isFreeName, nameLinkOf } from '../store/names.js';

/** As many ids does a distribution's image have. */
const DEFAULT_SIZE = 65_536;
/** Ids of containers are given in steps of this many, from where nobody else has any (systemd's UIDS-GIDS.md). */
const STEP = 65_536;
const [FIRST, LAST] = [524_288, 1_879_048_191] as const;
/** What a container of a user's gets of its sub-ids, of which there are usually 65,536 for all: enough for the users of a distribution but `nobody`. */
const DEFAULT_SHARE = 4096;
const SHARE_STEP = 1024;
const MAX_ID = 2 ** 32 - 2;

/**
 * The ids of a new container; undefined for those that this user has anyway.
 *
 * @param root absolute path of the store: among its containers a range of `auto` is nobody else's
 * @throws EngineError `USERNS_INVALID`, `USERNS_FULL`
 */
export function ownIds(asked: UserNamespace | undefined, id: string, root: string): OwnIds | undefined {
  if (asked === undefined || asked === 'host') return undefined;
  const invalid = (message: string, hint: string): EngineError => new EngineError({ code: 'USERNS_INVALID', message, hint });
  const mapping = idMapping();
  const isRoot = mapping.kind === 'host';
  if (asked === 'keep-id') {
    if (mapping.kind === 'full')
      return {
        uids: exchanged(process.geteuid?.() ?? 0, 1 + sum(mapping.uids)),
        gids: exchanged(process.getegid?.() ?? 0, 1 + sum(mapping.gids)),
        idmapped: false,
      };
    if (!isRoot) return undefined;
    throw invalid('root has no id of its own to keep in a container', 'Give it ids that nobody else has: --userns auto.');
  }
  if (mapping.kind === 'single')
    throw invalid(
      'a container can have ids of its own only of those that /etc/subuid and /etc/subgid give you, and there are none',
      'As root: apt-get install uidmap; usermod --add-subuids 100000-165535 --add-subgids 100000-165535 NAME. Without it the container has your own id.',
    );
  const { size = isRoot ? DEFAULT_SIZE : DEFAULT_SHARE } = asked;
  if (!Number.isSafeInteger(size) || size < 1) throw invalid(`${size} is not a number of ids`, 'An image of a distribution needs 65536.');
  const byFuse = !isRoot || unfitForUpper(root) !== undefined || (!mapsIds(root) && findFuseOverlay(root) !== undefined);
  if (asked.mode === 'auto') {
    const start = freeRange(size, id, path.join(root, 'containers'), mapping.kind === 'full' ? sharesOf(mapping) : freeOnHost());
    return range(start, start, size, byFuse);
  }
  if (mapping.kind === 'full') {
    const [uid, gid] = [placeIn(mapping, 'uids', asked.uid, size), placeIn(mapping, 'gids', asked.gid, size)];
    if (uid === undefined || gid === undefined)
      throw invalid(
        `the ids ${asked.uid}:${asked.gid}, and ${size} from there on, are not yours in one piece`,
        'They are ids of the host, of your lines in /etc/subuid and /etc/subgid.',
      );
    return range(uid, gid, size, byFuse);
  }
  for (const first of [asked.uid, asked.gid])
    if (!Number.isSafeInteger(first) || first < 1 || first + size - 1 > MAX_ID)
      throw invalid(`there are no ${size} ids from ${first} on`, 'Ids go from 1 to 4294967294; 0 is the host’s own root.');
  return range(asked.uid, asked.gid, size, byFuse);
}

/**
 * Whether the filesystem of a directory can be mounted with other ids (mount_setattr(2), "ID-mapped mounts"): of those that may hold a
 * store, tmpfs can since 6.3, ramfs cannot, and an overlay on what is mapped is possible since 5.19. Other filesystems are tried.
 */
export function mapsIds(directory: string): boolean {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  const since = SINCE[statfsSync(directory).type] ?? 19;
  return (major - 5) * 1000 + minor >= since;
}

/** By the magic numbers of statfs(2), with a thousand for each version after 5: tmpfs, ramfs. */
const SINCE: Readonly<Record<number, number>> = { 0x01021994: 1003, 0x858458f6: Number.POSITIVE_INFINITY };

/** The ids from 0 on inside are those from `uid` and `gid` on outside, shown by fuse-overlayfs(1) or by mounts. */
export function range(uid: number, gid: number, count: number, byFuse = false): OwnIds {
  return { uids: [{ inside: 0, outside: uid, count }], gids: [{ inside: 0, outside: gid, count }], idmapped: !byFuse, ...(byFuse ? { byFuse } : {}) };
}

/** Where ids of the host are among those that this user has inside; undefined when they are not all its own, side by side. */
function placeIn(mapping: FullMapping, which: 'uids' | 'gids', first: number, size: number): number | undefined {
  const inOne = mapping[which].some(({ start, count }) => first >= start && first + size <= start + count);
  return inOne ? insideId(mapping, which, first) : undefined;
}

/**
 * A user with sub-ids is root (0) in the user namespace of the monitor, and is to be called inside what it is called
 * outside: the two names are exchanged, and all others stay what they are. What belongs to root in an image is this
 * user's then.
 */
function exchanged(own: number, count: number): IdMap[] {
  const same = (from: number, to: number): IdMap[] => (to > from ? [{ inside: from, outside: from, count: to - from }] : []);
  if (own >= count) return [...same(1, count), { inside: own, outside: 0, count: 1 }];
  return [{ inside: 0, outside: own, count: 1 }, ...same(1, own), { inside: own, outside: 0, count: 1 }, ...same(own + 1, count)];
}

function sum(ranges: readonly IdRange[]): number {
  return ranges.reduce((total, { count }) => total + count, 0);
}

/** Where each step of a container's own range is noted, so that no other gets it. Only those of `auto` are. */
export function rangeLinksOf(containers: string, asked: UserNamespace | undefined, ids: OwnIds | undefined): readonly string[] {
  const [own] = ids?.uids ?? [];
  if (typeof asked !== 'object' || asked.mode !== 'auto' || !own) return [];
  return stepsOf(own.outside, own.count, idMapping().kind === 'host' ? STEP : SHARE_STEP).map((start) => nameLinkOf(containers, `@${start}`));
}

export function rangeTaken(cause: unknown): EngineError {
  return new EngineError({ code: 'USERNS_TAKEN', message: 'another container has just taken the same range of ids', hint: 'Try again.', cause });
}

/** Ids of which containers get some. */
interface Supply {
  readonly first: number;
  readonly last: number;
  /** They are given in steps of this many. */
  readonly step: number;
  /** Ranges that belong to users of the host (subuid(5), subgid(5)). */
  readonly taken: readonly IdRange[];
}

/** Ids of the host that belong to none of its users. */
function freeOnHost(): Supply {
  return { first: FIRST, last: LAST, step: STEP, taken: [...subordinate('/etc/subuid'), ...subordinate('/etc/subgid')] };
}

/** Those that a user has inside. The lowest are left to the system's users in its other containers. */
function sharesOf({ uids, gids }: FullMapping): Supply {
  return { first: SHARE_STEP, last: Math.min(sum(uids), sum(gids)), step: SHARE_STEP, taken: [] };
}

/** The first range, from a place that the id says, that nobody has. */
function freeRange(size: number, id: string, containers: string, { first, last, step, taken }: Supply): number {
  const steps = Math.ceil(size / step);
  const count = Math.floor((last + 1 - first) / step / steps);
  const begin = Number.parseInt(id.slice(0, 8), 16);
  for (let i = 0; i < count; i++) {
    const start = first + ((begin + i) % count) * steps * step;
    if (taken.some((range) => start < range.start + range.count && range.start < start + size)) continue;
    if (stepsOf(start, size, step).every((each) => isFreeName(containers, `@${each}`))) return start;
  }
  throw new EngineError({
    code: 'USERNS_FULL',
    message: `no ${size} ids are left for another container`,
    hint: 'Remove some: lamella ps -a; or ask for fewer: --userns auto:size=N.',
  });
}

/** Ranges of other sizes begin in between. */
function stepsOf(start: number, size: number, step: number): number[] {
  return Array.from({ length: Math.ceil(size / step) }, (_, i) => start + i * step);
}

/** What users of this machine may use by themselves (subuid(5)). */
function subordinate(file: string): IdRange[] {
  return (readOptionalText(file, FILE_BOUNDS.host) ?? '').split('\n').flatMap((line) => {
    const [, start, count] = line.split(':').map(Number);
    return start !== undefined && count !== undefined && count > 0 ? [{ start, count }] : [];
  });
}

/** The op that makes the user namespace of these ids; its slot is `out`. */
export function makeUserNamespace({ uids, gids }: OwnIds, out: number): Op {
  const text = (maps: readonly IdMap[]): string => maps.map(({ inside, outside, count }) => `${inside} ${outside} ${count}\n`).join('');
  return { op: 'userns', uid_map: text(uids), gid_map: text(gids), out };
}

/** SECBIT_NO_SETUID_FIXUP (capabilities(7)): who changes its ids keeps its capabilities. */
const KEEPS_CAPABILITIES = 4;

/**
 * Returns ops that mount overlays, for a user namespace with ids that are mapped. Overlayfs makes its own files as the user
 * that mounted it. This user must be mapped there, and yet needs the rights of the host's root for `trusted.*`.
 */
export function asRootOf({ uids, gids }: OwnIds, program: Program): Program {
  const become = (uid: number, gid: number): Op[] => [
    { op: 'setresgid', rgid: -1, egid: gid, sgid: -1 },
    { op: 'setresuid', ruid: -1, euid: uid, suid: -1 },
  ];
  return [
    prctl(PR.SET_SECUREBITS, KEEPS_CAPABILITIES),
    ...become(uids[0]?.outside ?? 0, gids[0]?.outside ?? 0),
    ...program,
    ...become(0, 0),
    prctl(PR.SET_SECUREBITS, 0),
  ];
}

/**
 * Ops after which a directory, and all mounts below it, are seen with the ids of a user namespace, in the mount
 * namespace of the process that runs them (mount_setattr(2), MOUNT_ATTR_IDMAP). What belongs to root there belongs to root on
 * the disk, so containers with different ids share layers, and what one writes is as any other's.
 *
 * @param expected which object the directory has to be
 */
export function mapOntoItself(directory: string, userns: number, slots: SlotAllocator, expected?: ObjectIdentity): Program {
  const tree = slots();
  const object = slots();
  const flags = OPEN_TREE.CLONE | OPEN_TREE.CLOEXEC | AT.RECURSIVE;
  return [
    ...(expected
      ? openObject(directory, expected, object)
      : ([{ op: 'openat', dirfd: AT_FDCWD, pathname: directory, flags: O.PATH | O.DIRECTORY | O.CLOEXEC, mode: 0, out: object }] as const)),
    { op: 'open_tree', dirfd: object, pathname: '', flags: flags | AT.EMPTY_PATH, out: tree },
    mountSetattr(tree, { set: MOUNT_ATTR.IDMAP, userns, recursive: true }),
    { op: 'move_mount', from_dirfd: tree, from_pathname: '', to_dirfd: object, to_pathname: '', flags: MOVE_MOUNT.F_EMPTY_PATH | MOVE_MOUNT.T_EMPTY_PATH },
    { op: 'close', fd: object },
    { op: 'close', fd: tree },
  ];
}
