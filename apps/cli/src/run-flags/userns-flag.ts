import type { UserNamespace } from '@lamella/engine';
import { UsageError } from '../errors/usage-error.js';

/** Parses the value of `--userns`. @throws UsageError */
export function parseUserns(text: string): UserNamespace {
  if (text === 'host' || text === 'keep-id') return text;
  const auto = /^auto(?::size=(\d+))?$/.exec(text);
  if (auto) return { mode: 'auto', ...(auto[1] === undefined ? {} : { size: Number(auto[1]) }) };
  const [, uid, gid, size] = /^(\d+):(\d+):(\d+)$/.exec(text) ?? [];
  if (size === undefined)
    throw new UsageError(`invalid user namespace '${text}'`, 'Use host, keep-id, auto[:size=N], or UID:GID:SIZE with the first IDs on the host.');
  return { mode: 'range', uid: Number(uid), gid: Number(gid), size: Number(size) };
}
