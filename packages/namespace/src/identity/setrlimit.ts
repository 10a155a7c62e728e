import { type Op, RLIMIT } from '@lamella/syscall';
import { NamespaceError } from '../model/namespace-error.js';
import type { Rlimit } from '../model/process-spec.js';

/** Returns the op that sets a limit. @throws NamespaceError `RLIMIT_UNKNOWN` */
export function setrlimit({ name, soft, hard }: Rlimit): Op {
  const resource = RLIMIT[name];
  if (resource === undefined)
    throw new NamespaceError({
      code: 'RLIMIT_UNKNOWN',
      message: `unknown resource limit '${name}'`,
      hint: `Known are ${Object.keys(RLIMIT).join(', ')}.`,
    });
  return { op: 'setrlimit', resource, rlim_cur: soft, rlim_max: hard };
}
