import { lstatSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import type { Op } from '@lamella/syscall';
import type { OciDevice } from '../config/schema.js';
import { OciError } from '../errors/oci-error.js';
import { purposeOf } from '../errors/op-purposes.js';

/** Removes the names under which device nodes were made outside of the container. The nodes are mounted by then. */
export function removeOutsideNodes(directory: string): void {
  for (const name of readdirSync(directory)) if (name.startsWith('device-')) rmSync(path.join(directory, name));
}

/**
 * Checks that a file which was at a device's path already is that device (config-linux.md, "Devices").
 *
 * @param ignored the ops that failed and were allowed to
 * @param root absolute path of the container's root
 * @throws OciError `DEVICE_CONFLICT`
 */
export function checkDevices(devices: readonly OciDevice[], ignored: ReadonlyMap<Op, string>, root: string): void {
  const existing = [...ignored.keys()].filter((op) => op.op === 'mknodat').map((op) => purposeOf(op) ?? '');
  for (const [i, device] of devices.entries()) {
    if (!existing.some((purpose) => purpose.startsWith(`linux.devices[${i}] `))) continue;
    const stat = lstatSync(path.join(root, path.posix.resolve('/', device.path)), { throwIfNoEntry: false });
    const kind = stat?.isBlockDevice() ? 'b' : stat?.isCharacterDevice() ? 'c' : stat?.isFIFO() ? 'p' : '';
    const wanted = device.type === 'u' ? 'c' : device.type;
    if (kind === wanted && (wanted === 'p' || stat?.rdev === deviceNumber(device))) continue;
    throw new OciError({
      code: 'DEVICE_CONFLICT',
      message: `linux.devices[${i}]: another file exists at ${device.path}`,
      hint: 'Remove the file from the root filesystem, or the device from linux.devices.',
    });
  }
}

/** Returns the number of a device as st_rdev has it (makedev(3)). */
export function deviceNumber({ major = 0, minor = 0 }: Pick<OciDevice, 'major' | 'minor'>): number {
  return (major & 0xfff) * 256 + (minor & 0xff) + Math.floor(minor / 256) * 2 ** 20 + Math.floor(major / 4096) * 2 ** 44;
}
