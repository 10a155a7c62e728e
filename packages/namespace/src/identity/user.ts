import { FileMemory } from '@lamella/syscall';
import { RootfsFiles } from './rootfs-file.js';
import { UserDatabase } from './user-database.js';
import { parseUser, resolveUser, type User } from './user-rules.js';

export type { User } from './user-rules.js';

/**
 * Finds a user by Docker's grammar, `name|uid[:group|gid]`, in the image's own passwd and group.
 * A number needs no entry there. Without a group the user's own and its supplementary ones apply.
 *
 * @param layers absolute host directories of the root, the topmost first
 * @throws NamespaceError `USER_NOT_FOUND`, `GROUP_NOT_FOUND`, `USER_INVALID`, `USERS_UNREADABLE`
 */
export function findUser(text: string, layers: readonly string[]): User {
  const { user, group } = parseUser(text);
  // A number for each needs neither file.
  const numbers = 'id' in user && group !== undefined && 'id' in group;
  const read = layers.flatMap((layer) => [layer, `${layer}/etc`, `${layer}/etc/passwd`, `${layer}/etc/group`]);
  return KNOWN.get([text, ...layers].join('\0'), read, () => {
    using files = new RootfsFiles(layers);
    return resolveUser(text, new UserDatabase(files, '/etc/passwd', numbers), new UserDatabase(files, '/etc/group', numbers));
  });
}

/** Users that were looked up before. With a link among the files nothing is kept: it may lead anywhere. */
const KNOWN = new FileMemory<User>();
