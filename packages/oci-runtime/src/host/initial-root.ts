import { readFileSync } from 'node:fs';

let known: boolean | undefined;

/**
 * Whether this is root of the machine, and not of a user namespace that an engine made for an ordinary user, in which
 * there are no devices to be made and no cgroups but those that were delegated (user_namespaces(7)).
 */
export function isInitialRoot(): boolean {
  known ??= process.geteuid?.() === 0 && /^\s*0\s+0\s+4294967295$/m.test(readFileSync('/proc/self/uid_map', 'utf8'));
  return known;
}

/** Whether this process may change its groups: where one id is mapped without privilege nobody may. */
export function canSetGroups(): boolean {
  return readFileSync('/proc/self/setgroups', 'utf8').trim() !== 'deny';
}
