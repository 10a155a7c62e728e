import { PR, type Program, setRootIds } from '@lamella/syscall';
import type { Identity } from '../model/process-spec.js';
import { type CapabilityName, dropBounding, prctl, raiseAmbient, setCapabilities } from './capabilities.js';

/** Ops after which the root of the user namespace that was entered is who this process is, with all rights there. */
export const becomeRoot: Program = [
  ...setRootIds(),
  // Changing ids cleared it, or set it.
  prctl(PR.SET_DUMPABLE, 0),
];

/**
 * Ops that give up what the process is not to have, in the one order that works: the bounding set
 * while SETPCAP is still there, groups before the user, capabilities last.
 */
export function become(
  user: Identity,
  capabilities: readonly CapabilityName[],
  { ambient, noNewPrivileges, singleId }: { readonly ambient: readonly CapabilityName[]; readonly noNewPrivileges: boolean; readonly singleId: boolean },
): Program {
  // Its group is one of those that it is in: else a file that is closed to this group could be opened (CVE-2022-36109).
  const groups = [...new Set([user.gid, ...(user.groups ?? [])])];
  // A process that stops being root loses all capabilities, except those that are kept on purpose.
  const kept = user.uid === 0 ? [] : ambient.filter((name) => capabilities.includes(name));
  return [
    ...dropBounding(capabilities),
    // With one mapped id setgroups(2) is denied for good, and the process cannot have another group.
    ...(singleId ? [] : [{ op: 'setgroups', list: groups } as const]),
    { op: 'setresgid', rgid: user.gid, egid: user.gid, sgid: user.gid },
    ...(kept.length ? [prctl(PR.SET_KEEPCAPS, 1)] : []),
    { op: 'setresuid', ruid: user.uid, euid: user.uid, suid: user.uid },
    ...(user.uid === 0 ? [setCapabilities(capabilities)] : []),
    ...(kept.length ? [setCapabilities(kept, kept), ...kept.map(raiseAmbient)] : []),
    ...(noNewPrivileges ? [prctl(PR.SET_NO_NEW_PRIVS, 1)] : []),
  ];
}
