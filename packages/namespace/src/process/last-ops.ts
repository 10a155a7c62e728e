import { CLOSE_RANGE_CLOEXEC, type Program } from '@lamella/syscall';
import type { ProcessSpec } from '../model/process-spec.js';
import { execute } from './command.js';

const SECCOMP_SET_MODE_FILTER = 1;

/**
 * Returns the last ops of a container's process, after which it is the user's program. With `hold` they
 * come by a `go`, and may be of another command than the one the container was made for.
 */
export function lastOps(spec: Pick<ProcessSpec, 'args' | 'env' | 'seccomp' | 'noNewPrivileges' | 'init'>): Program {
  const late = (spec.noNewPrivileges ?? true) && !spec.init;
  return [
    { op: 'close_range', first: 3, last: 0xffffffff, flags: CLOSE_RANGE_CLOEXEC },
    // As late as can be: a filter need not allow what is done here.
    ...(late ? seccompFilter(spec) : []),
    ...execute(spec.args, spec.env ?? {}),
  ];
}

export function seccompFilter({ seccomp }: Pick<ProcessSpec, 'seccomp'>): Program {
  return seccomp ? [{ op: 'seccomp', operation: SECCOMP_SET_MODE_FILTER, ...seccomp }] : [];
}
