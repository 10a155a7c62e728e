import { type ContainerCgroup, type DeviceRule, limitDevices, limitDevicesV1 } from '@lamella/cgroup';
import { AT_FDCWD, O, type Op, type Program, type SlotAllocator } from '@lamella/syscall';
import type { OciLinux } from '../config/schema.js';
import { withPurpose } from '../errors/op-purposes.js';
import { isInitialRoot } from '../host/initial-root.js';
import { DEFAULT_DEVICES } from '../mounts/devices.js';

/** Device access that every container has regardless of its rules. runc has the same list. */
const ALWAYS_ALLOWED: readonly DeviceRule[] = [
  { allow: true, type: 'c', access: 'm' },
  { allow: true, type: 'b', access: 'm' },
  ...DEFAULT_DEVICES.map(({ type, major, minor }) => ({ allow: true, type, major, minor, access: 'rwm' })),
  // /dev/console, /dev/ptmx and the pseudo-TTYs.
  { allow: true, type: 'c', major: 5, minor: 1, access: 'rwm' },
  { allow: true, type: 'c', major: 5, minor: 2, access: 'rwm' },
  { allow: true, type: 'c', major: 136, access: 'rwm' },
];

/** Returns the device rules of a container: deny all, then its own rules, then what every container may do. */
export function deviceRules(resources: OciLinux['resources']): readonly DeviceRule[] {
  return [{ allow: false }, ...(resources?.devices ?? []), ...ALWAYS_ALLOWED];
}

/**
 * Enforces device rules on a cgroup: by files, written at once, with version 1; by ops that attach a BPF program with version 2.
 *
 * @returns the ops
 */
export function restrictDevices(cgroup: ContainerCgroup, rules: readonly DeviceRule[], slots: SlotAllocator): Program {
  // Ordinary users can open only the devices that the host lets them open.
  if (!isInitialRoot() || !cgroup[0]) return [];
  if (cgroup[0].version === 1) {
    limitDevicesV1(cgroup, rules);
    return [];
  }
  const directory = slots();
  const open: Op = { op: 'openat', dirfd: AT_FDCWD, pathname: cgroup[0].directory, flags: O.RDONLY | O.DIRECTORY | O.CLOEXEC, mode: 0, out: directory };
  return withPurpose('linux.resources.devices', [open, ...limitDevices(rules, directory, slots), { op: 'close', fd: directory } satisfies Op]);
}
