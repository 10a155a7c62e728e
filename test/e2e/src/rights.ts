import { spawnSync } from 'node:child_process';
import { idMapping } from '@lamella/syscall';
import { skip } from '@lamella-test/scratch';
import type { TestContext } from 'vitest';

/** Go on as root, or as an ordinary user who may make user namespaces. */
export function requiresContainers(context: TestContext): void {
  if (!isRoot() && spawnSync('unshare', ['-Ur', 'true']).status !== 0) skip(context, 'this user can make no user namespaces here');
}

/** Go on only if there are more ids in a container than one: root's are all, those of others are in /etc/subuid. */
export function requiresOtherIds(context: TestContext): void {
  if (!hasOtherIds()) skip(context, 'a user with one id has one inside, too');
}

export function hasOtherIds(): boolean {
  return idMapping().kind !== 'single';
}

export function isRoot(): boolean {
  return process.geteuid?.() === 0;
}
