import { checkProfile, compileProfile } from '@lamella/seccomp';
import type { Op } from '@lamella/syscall';
import type { OciConfig, OciLinux, OciProcess } from '../config/schema.js';
import { withPurpose } from '../errors/op-purposes.js';

const SECCOMP_SET_MODE_FILTER = 1;
const SECCOMP_FILTER_FLAG_TSYNC = 1;
const SECCOMP_FILTER_FLAG_NEW_LISTENER = 8;

/** Returns the op for config-linux.md, "Seccomp". Its reply is the descriptor of the listener. */
export function seccompOps(seccomp: OciLinux['seccomp'], spec: OciProcess): Op[] {
  if (!seccomp) return [];
  const { filter, flags, notifies } = compileProfile(checkProfile(seccomp, 'linux.seccomp'), {
    capabilities: spec.capabilities?.bounding ?? [],
    newerAreAbsent: true,
    compat: true,
  });
  const listening = notifies ? (flags & ~SECCOMP_FILTER_FLAG_TSYNC) | SECCOMP_FILTER_FLAG_NEW_LISTENER : flags;
  return withPurpose('linux.seccomp', [{ op: 'seccomp', operation: SECCOMP_SET_MODE_FILTER, filter, flags: listening, ...(notifies ? { reply: true } : {}) }]);
}

/** Returns the filter without a listener, for a hook that runs in the container. */
export function filterOf({ process: spec, linux }: OciConfig): Op[] {
  return spec ? seccompOps(linux?.seccomp, spec).filter(({ reply }) => !reply) : [];
}
