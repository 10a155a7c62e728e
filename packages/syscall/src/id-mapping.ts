import { accessSync, constants, readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import path from 'node:path';
import { CLONE } from './constants.js';
import type { Op, Program } from './op.js';
import { type RunOptions, type RunResult, run } from './run.js';

/** Ids of the host that belong to a user beside its own (subuid(5)). */
export interface IdRange {
  readonly start: number;
  readonly count: number;
}

/**
 * Which ids a process of this user has inside:
 * - `host`: root, as they are;
 * - `single`: its own, which is root there;
 * - `full`: the same, and from 1 on those that /etc/subuid and /etc/subgid give it, unless the
 *   environment says `LAMELLA_SUBIDS=none`.
 */
export type IdMapping =
  | { readonly kind: 'host' }
  | { readonly kind: 'single' }
  | { readonly kind: 'full'; readonly uids: readonly IdRange[]; readonly gids: readonly IdRange[] };

let known: IdMapping | undefined;

/** How ids are mapped for this process. Asked once. */
export function idMapping(): IdMapping {
  known ??= find();
  return known;
}

function find(): IdMapping {
  if (process.geteuid?.() === 0) return { kind: 'host' };
  if (process.env.LAMELLA_SUBIDS === 'none') return { kind: 'single' };
  if (!findHelper('newuidmap') || !findHelper('newgidmap')) return { kind: 'single' };
  const [uids, gids] = [ranges('/etc/subuid'), ranges('/etc/subgid')];
  return uids.length && gids.length ? { kind: 'full', uids, gids } : { kind: 'single' };
}

/** The lines of this user, by name or number. */
function ranges(file: string): IdRange[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (['ENOENT', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')) return [];
    throw error;
  }
  const owners = new Set([String(process.getuid?.()), nameOfUser()]);
  return text.split('\n').flatMap((line) => {
    const [owner = '', start, count] = line.trim().split(':');
    const range = { start: Number(start), count: Number(count) };
    return owners.has(owner) && Number.isSafeInteger(range.start) && range.count > 0 ? [range] : [];
  });
}

/** Somebody may be nobody: a number without an entry in passwd(5). */
function nameOfUser(): string | undefined {
  try {
    return userInfo().username;
  } catch {
    return undefined;
  }
}

function findHelper(name: string): string | undefined {
  for (const directory of [...(process.env.PATH ?? '').split(':'), '/usr/bin', '/usr/sbin', '/bin']) {
    const file = path.join(directory || '.', name);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // Look on: a directory of the PATH may well not exist.
    }
  }
  return undefined;
}

/** The first op of a program that runs in a user namespace whose ids are mapped from outside. */
export function ownUserNamespace(flags: number = 0): Op {
  return { op: 'unshare', flags: CLONE.NEWUSER + flags, reply: true };
}

/**
 * Map this user's ids into the new user namespace of a process, by newuidmap(1) and newgidmap(1).
 *
 * @throws LamellaError `SUBIDS_DENIED`
 */
export async function mapIds(pid: number): Promise<void> {
  const mapping = idMapping();
  if (mapping.kind !== 'full') throw new TypeError('there are no ids to be mapped from outside');
  // Only who has such ids loads what runs the helpers.
  const { newIdMap } = await import('./new-id-map.js');
  await Promise.all([
    newIdMap(findHelper('newuidmap') ?? 'newuidmap', pid, process.getuid?.() ?? 0, mapping.uids, '/etc/subuid'),
    newIdMap(findHelper('newgidmap') ?? 'newgidmap', pid, process.getgid?.() ?? 0, mapping.gids, '/etc/subgid'),
  ]);
}

/**
 * Run a program as the owner of whatever containers of this user leave: as root it is root, with
 * mapped ids it is root of them, else it is the user itself.
 */
export function runMapped(program: Program, options: RunOptions = {}): Promise<RunResult> {
  return idMapping().kind === 'full' ? run([ownUserNamespace(), ...program], { ...options, mapIds }) : run(program, options);
}
