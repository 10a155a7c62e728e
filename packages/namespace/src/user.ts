import { NamespaceError } from './namespace-error.js';
import type { Identity } from './process-spec.js';
import { UserDatabase } from './user-database.js';

/** A resolved user, with what passwd(5) says about it. */
export interface User extends Identity {
  readonly groups: readonly number[];
  /** Its home directory; `/` when the image does not know it. */
  readonly home: string;
}

const MAX_ID = 0xfffffffe;

/**
 * Find a user by Docker's grammar, `name|uid[:group|gid]`, in the image's own passwd and group.
 * A number needs no entry there. Without a group the user's own and its supplementary ones apply.
 *
 * @param layers absolute host directories of the root, the topmost first
 * @throws NamespaceError `USER_NOT_FOUND`, `GROUP_NOT_FOUND`, `USER_INVALID`, `USERS_UNREADABLE`
 */
export function findUser(user: string, layers: readonly string[]): User {
  const [who = '', which, ...more] = user.split(':');
  if (more.length || which === '') throw new NamespaceError({ code: 'USER_INVALID', message: `'${user}' is not a user`, hint: 'Write NAME|UID[:GROUP|GID].' });
  // Numbers need neither file.
  const numbers = [who, which].every((part) => part !== undefined && number(part) !== undefined);
  const passwd = new UserDatabase(layers, '/etc/passwd', numbers);
  const group = new UserDatabase(layers, '/etc/group', numbers);
  const id = who || '0';
  const entry = passwd.find(([name]) => name === id) ?? passwd.find(([, , uid]) => uid === id);
  const uid = entry ? number(entry[2]) : number(id);
  if (uid === undefined)
    throw new NamespaceError({
      code: 'USER_NOT_FOUND',
      message: `the image has no user '${who}'${passwd.problem ? `: ${passwd.problem.message}` : ''}`,
      hint: 'Its /etc/passwd does not list it; give a number instead.',
      cause: passwd.problem,
    });
  const home = entry?.[5] || '/';
  if (which !== undefined) return { uid, gid: findGroup(which, group), groups: [], home };
  const gid = entry ? (number(entry[3]) ?? 0) : 0;
  const name = entry?.[0];
  const groups = group
    .filter(([, , , members]) => name !== undefined && members?.split(',').includes(name) === true)
    .map(([, , value]) => number(value))
    .filter((value): value is number => value !== undefined && value !== gid);
  return { uid, gid, groups, home };
}

function findGroup(which: string, group: UserDatabase): number {
  const entry = group.find(([name]) => name === which);
  const gid = entry ? number(entry[2]) : number(which);
  if (gid === undefined)
    throw new NamespaceError({
      code: 'GROUP_NOT_FOUND',
      message: `the image has no group '${which}'${group.problem ? `: ${group.problem.message}` : ''}`,
      hint: 'Its /etc/group does not list it; give a number instead.',
      cause: group.problem,
    });
  return gid;
}

function number(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d+$/.test(text)) return undefined;
  const value = Number(text);
  return value <= MAX_ID ? value : undefined;
}
