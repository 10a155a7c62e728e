import { CAPABILITIES, type Op, PR, type Program } from '@lamella/syscall';

/** The name of a capability (capabilities(7)), as `CAP_CHOWN`. */
export type CapabilityName = (typeof CAPABILITIES)[number];

/**
 * Docker's default set without MKNOD: as long as no device cgroup stands behind it, a device node
 * of the container's own making would be a way to the host's disks.
 */
export const DEFAULT_CAPABILITIES: readonly CapabilityName[] = [
  'CHOWN',
  'DAC_OVERRIDE',
  'FSETID',
  'FOWNER',
  'NET_RAW',
  'SETGID',
  'SETUID',
  'SETFCAP',
  'SETPCAP',
  'NET_BIND_SERVICE',
  'SYS_CHROOT',
  'KILL',
  'AUDIT_WRITE',
];

/** The last capability of Linux 5.9; later kernels may not know less, older ones may. */
const prctl = (option: number, arg2: number, ignore?: readonly string[]): Op => ({
  op: 'prctl',
  option,
  arg2,
  arg3: 0,
  arg4: 0,
  arg5: 0,
  ...(ignore ? { ignore } : {}),
});

/** Ops that take every other capability out of the bounding set, for this process and all it executes. */
export function dropBounding(keep: readonly CapabilityName[]): Program {
  return CAPABILITIES.flatMap((name, number) => (keep.includes(name) ? [] : [prctl(PR.CAPBSET_DROP, number, ['EINVAL'])]));
}

/** The op that leaves a process with these capabilities now, and lets it pass some on. */
export function setCapabilities(keep: readonly CapabilityName[], inheritable: readonly CapabilityName[] = []): Op {
  return { op: 'capset', effective: bits(keep), permitted: bits(keep), inheritable: bits(inheritable) };
}

/** Above 31 a shift would overflow: the sum of powers is exact up to 2^53. */
function bits(names: readonly CapabilityName[]): number {
  return names.reduce((sum, name) => sum + 2 ** CAPABILITIES.indexOf(name), 0);
}

/** The op that passes a capability on to whatever is executed. */
export function raiseAmbient(name: CapabilityName): Op {
  return { op: 'prctl', option: PR.CAP_AMBIENT, arg2: PR.CAP_AMBIENT_RAISE, arg3: CAPABILITIES.indexOf(name), arg4: 0, arg5: 0 };
}

export { prctl };
