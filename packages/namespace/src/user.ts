import { readRootfsFile } from './rootfs-file.js';
import { type Entries, resolveUser, type User } from './user-rules.js';

export type { User } from './user-rules.js';

/**
 * Find a user by Docker's grammar, `name|uid[:group|gid]`, in the image's own passwd and group.
 * A number needs no entry there. Without a group the user's own and its supplementary ones apply.
 *
 * @param layers absolute host directories of the root, the topmost first
 * @throws NamespaceError `USER_NOT_FOUND`, `GROUP_NOT_FOUND`, `USER_INVALID`
 */
export function findUser(user: string, layers: readonly string[]): User {
  return resolveUser(user, lines(readRootfsFile(layers, '/etc/passwd')), lines(readRootfsFile(layers, '/etc/group')));
}

function lines(text: string | undefined): Entries {
  return (text ?? '')
    .split('\n')
    .filter((line) => line && !line.startsWith('#'))
    .map((line) => line.split(':'));
}
