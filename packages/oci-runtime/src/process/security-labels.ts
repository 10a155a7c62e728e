import { existsSync } from 'node:fs';
import { AT_FDCWD, O, type Op, type SlotAllocator } from '@lamella/syscall';
import type { OciProcess } from '../config/schema.js';
import { withPurpose } from '../errors/op-purposes.js';

/**
 * Returns the ops that set the AppArmor profile or SELinux label of the exec. The files are opened early, in the host's /proc, and
 * written last.
 *
 * @param proc slot of the host's /proc; default: the path /proc
 */
export function securityLabels(process: OciProcess | undefined, slots: SlotAllocator, proc: number = AT_FDCWD): { readonly early: Op[]; readonly late: Op[] } {
  const asked = [
    ...(process?.apparmorProfile && process.apparmorProfile !== 'unconfined'
      ? [
          {
            module: 'apparmor',
            label: `exec ${process.apparmorProfile}`,
            what: `process.apparmorProfile ${process.apparmorProfile} (load it with apparmor_parser(8))`,
          },
        ]
      : []),
    ...(process?.selinuxLabel ? [{ module: 'selinux', label: process.selinuxLabel, what: `process.selinuxLabel ${process.selinuxLabel}` }] : []),
  ].map((each) => ({ ...each, slot: slots() }));
  return {
    early: asked.flatMap(({ module, what, slot }) => {
      const file = existsSync(`/proc/self/attr/${module}/exec`) ? `self/attr/${module}/exec` : 'self/attr/exec';
      return withPurpose(what, [
        { op: 'openat', dirfd: proc, pathname: proc === AT_FDCWD ? `/proc/${file}` : file, flags: O.WRONLY | O.CLOEXEC, mode: 0, out: slot },
      ]);
    }),
    late: asked.flatMap(({ label, what, slot }) => withPurpose(what, [{ op: 'write', fd: slot, buf: label }])),
  };
}
