import { idMapping, ownUserNamespace, type Program } from '@lamella/syscall';

/**
 * A program as this user runs it: with ids of its own in /etc/subuid all of it, the monitor and what
 * releases at the end included, is in a user namespace of them, for what the container leaves belongs
 * to those ids.
 */
export function inOwnIds(program: Program): Program {
  return idMapping().kind === 'full' ? [ownUserNamespace(), ...program] : program;
}
