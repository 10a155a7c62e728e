/**
 * The user namespace of a container:
 * - `host`: the one that this user has anyway; the default;
 * - `auto`: one with ids that no other container has: as root of those that no user of the host has, else of this user's in /etc/subuid;
 * - a range: the ids from `uid` and `gid` of the host on;
 * - `keep-id`: this user is called inside what it is outside, and is who runs there. Of an ordinary user.
 */
export type UserNamespace =
  | 'host'
  | 'keep-id'
  | { readonly mode: 'auto'; readonly size?: number }
  | { readonly mode: 'range'; readonly uid: number; readonly gid: number; readonly size: number };
