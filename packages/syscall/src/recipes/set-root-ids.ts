import type { Program } from '../ops/op.js';

/**
 * Returns the ops that make the process root of the user namespace that it is in, without supplementary groups.
 *
 * @param keepDeniedGroups whether the groups may stay if the namespace denies setgroups(2). Default false: the program fails then.
 * @see user_namespaces(7)
 */
export function setRootIds({ keepDeniedGroups = false }: { readonly keepDeniedGroups?: boolean } = {}): Program {
  return [
    { op: 'setresgid', rgid: 0, egid: 0, sgid: 0 },
    { op: 'setgroups', list: [], ...(keepDeniedGroups ? { ignore: ['EPERM'] } : {}) },
    { op: 'setresuid', ruid: 0, euid: 0, suid: 0 },
  ];
}
