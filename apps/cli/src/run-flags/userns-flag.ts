import type { UserNamespace } from '@lamella/engine';
import { UsageError } from '../errors/usage-error.js';

/** What `--userns` says. @throws UsageError */
export function parseUserns(text: string): UserNamespace {
  if (text === 'host' || text === 'keep-id') return text;
  const auto = /^auto(?::size=(\d+))?$/.exec(text);
  if (auto) return { mode: 'auto', ...(auto[1] === undefined ? {} : { size: Number(auto[1]) }) };
  const [, uid, gid, size] = /^(\d+):(\d+):(\d+)$/.exec(text) ?? [];
  if (size === undefined)
    throw new UsageError(
      `'${text}' is not a user namespace`,
      'Write --userns auto, auto:size=N, host, keep-id, or UID:GID:SIZE with the first ids of the host.',
    );
  return { mode: 'range', uid: Number(uid), gid: Number(gid), size: Number(size) };
}
