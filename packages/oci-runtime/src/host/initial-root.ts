import { readFileSync } from 'node:fs';

let known: boolean | undefined;

/**
 * Whether this process is root of the host. Root of a user namespace, which an engine may make for an ordinary user, cannot make
 * devices and has only delegated cgroups (user_namespaces(7)).
 */
export function isInitialRoot(): boolean {
  known ??= process.geteuid?.() === 0 && /^\s*0\s+0\s+4294967295$/m.test(readFileSync('/proc/self/uid_map', 'utf8'));
  return known;
}

/** Whether this process may call setgroups(2). It may not in a user namespace with one id that was mapped without privilege. */
export function canSetGroups(): boolean {
  return readFileSync('/proc/self/setgroups', 'utf8').trim() !== 'deny';
}
