import { NamespaceError } from '../model/namespace-error.js';
import type { Identity } from '../model/process-spec.js';

/** A resolved user, with what passwd(5) says about it. */
export interface User extends Identity {
  /** Its supplementary groups beside `gid`. */
  readonly groups: readonly number[];
  /** Its home directory; `/` when the image does not know it. */
  readonly home: string;
}

/** The entries of passwd(5) or group(5), by their fields, in the order of their lines. */
export interface Entries {
  /** Returns the first entry that fits; the line of one that does has `mention` in it, so that a large file is searched fast. */
  find(fits: (fields: readonly string[]) => boolean, mention?: string): readonly string[] | undefined;
  /** Returns all entries that fit. */
  filter(fits: (fields: readonly string[]) => boolean, mention?: string): Iterable<readonly string[]>;
  /** Why the file was not read. */
  readonly problem?: Error | undefined;
}

/** The user or group that is asked for. A number stays that number, even if the image has a user of such a name. */
export type Asked = { readonly id: number } | { readonly name: string };

/** `(uid_t)-1` stands for no id at all (setresuid(2)). */
const MAX_ID = 0xfffffffe;
/** NGROUPS_MAX (limits.h, setgroups(2)). */
const MAX_GROUPS = 65536;

/**
 * Reads `NAME|UID[:GROUP|GID]` as Docker does: an empty part is as good as none, and nobody is the user 0. What looks like a
 * number, with or without a sign, is never a name (CVE-2026-46680).
 *
 * @throws NamespaceError `USER_INVALID`
 */
export function parseUser(text: string): { readonly user: Asked; readonly group: Asked | undefined } {
  const [who = '', which = '', ...more] = text.split(':');
  if (more.length) throw invalid(text, `'${text}' is not a user`);
  return { user: who ? asked(who, text) : { id: 0 }, group: which ? asked(which, text) : undefined };
}

function asked(part: string, text: string): Asked {
  if (!/^[+-]?\d+$/.test(part)) return { name: part };
  const id = Number(part);
  if (id < 0 || id > MAX_ID) throw invalid(text, `'${part}' is not the number of a user or group`);
  // Not -0.
  return { id: id + 0 };
}

/**
 * Resolves a user by moby's rules: the first entry counts; a number needs none; the supplementary groups are those of the
 * user's name, where no group is asked for. An entry that is used, and has something else than a number where one has to be, is
 * refused, where moby takes 0.
 *
 * @throws NamespaceError `USER_NOT_FOUND`, `GROUP_NOT_FOUND`, `USER_INVALID`, `USER_GROUPS`
 */
export function resolveUser(text: string, passwd: Entries, group: Entries): User {
  const spec = parseUser(text);
  const { user } = spec;
  const entry =
    'id' in user ? passwd.find(([, , uid]) => idOf(uid) === user.id, String(user.id)) : passwd.find(([name]) => name?.trimStart() === user.name, user.name);
  const uid = 'id' in user ? user.id : uidOf(user.name, entry, passwd);
  const home = entry?.[5] || '/';
  if (spec.group) return { uid, gid: gidOf(spec.group, group), groups: [], home };
  const name = entry?.[0]?.trimStart();
  const gid = entry?.[3] ? idOf(entry[3]) : 0;
  if (gid === undefined) throw notFound(`the group of the user '${name}' is '${entry?.[3]}'`, 'Its /etc/passwd is wrong; give the group, too: USER:GID.');
  if (!name) return { uid, gid, groups: [], home };
  return { uid, gid, groups: groupsOf(name, gid, group), home };
}

/** @throws NamespaceError `USER_GROUPS` */
function groupsOf(name: string, gid: number, group: Entries): number[] {
  const groups = new Set<number>();
  for (const [, , value] of group.filter(([, , , members]) => members?.trimEnd().split(',').includes(name) === true, name)) {
    const id = idOf(value);
    if (id !== undefined && id !== gid) groups.add(id);
    if (groups.size > MAX_GROUPS)
      throw new NamespaceError({
        code: 'USER_GROUPS',
        message: `the user '${name}' has more than ${MAX_GROUPS} groups in the image's /etc/group, and Linux gives a process no more`,
        hint: 'Name the group, too: -u USER:GROUP.',
      });
  }
  return [...groups];
}

function uidOf(name: string, entry: readonly string[] | undefined, { problem }: Entries): number {
  if (!entry)
    throw notFound(
      `the image has no user '${name}'${problem ? `: ${problem.message}` : ''}`,
      'Its /etc/passwd does not list it; give a number instead.',
      problem,
    );
  const uid = idOf(entry[2]);
  if (uid === undefined) throw notFound(`the number of the user '${name}' is '${entry[2] ?? ''}'`, 'Its /etc/passwd is wrong; give a number instead.');
  return uid;
}

function gidOf(asked: Asked, group: Entries): number {
  if ('id' in asked) return asked.id;
  const entry = group.find(([name]) => name?.trimStart() === asked.name, asked.name);
  const gid = entry && idOf(entry[2]);
  if (gid !== undefined) return gid;
  const { problem } = group;
  throw new NamespaceError({
    code: 'GROUP_NOT_FOUND',
    message: entry
      ? `the number of the group '${asked.name}' is '${entry[2] ?? ''}'`
      : `the image has no group '${asked.name}'${problem ? `: ${problem.message}` : ''}`,
    hint: `Its /etc/group ${entry ? 'is wrong' : 'does not list it'}; give a number instead.`,
    ...(problem ? { cause: problem } : {}),
  });
}

/** The id that a field says; nothing where it is not one. */
function idOf(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d+$/.test(text)) return undefined;
  const id = Number(text);
  return id <= MAX_ID ? id : undefined;
}

function invalid(text: string, message: string): NamespaceError {
  return new NamespaceError({ code: 'USER_INVALID', message, hint: `Write NAME|UID[:GROUP|GID] instead of '${text}'; numbers are from 0 to ${MAX_ID}.` });
}

function notFound(message: string, hint: string, cause?: Error): NamespaceError {
  return new NamespaceError({ code: 'USER_NOT_FOUND', message, hint, ...(cause ? { cause } : {}) });
}
