import { idMapping, ownUserNamespace, type Program } from '@lamella/syscall';

/**
 * Returns a program that runs in a user namespace with the user's ids of /etc/subuid, if the user has some. The monitor and the exit
 * program run there too, because the files that the container makes belong to those ids.
 */
export function inUserNamespace(program: Program): Program {
  return idMapping().kind === 'full' ? [ownUserNamespace(), ...program] : program;
}
