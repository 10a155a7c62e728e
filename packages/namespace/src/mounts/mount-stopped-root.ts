import { idMapping, MOUNT_ATTR, mountSetattr, type Program, type SlotAllocator } from '@lamella/syscall';
import type { Mount } from './mount.js';
import { mountAll } from './mount-program.js';

/** The root of a container that does not run. */
export interface StoppedRoot {
  /** Slot of the root, a mount that only the process running this program sees. */
  readonly root: number;
  readonly readonlyRoot: boolean;
}

/**
 * Returns ops that mount what a container has in its root, to read and write its files while it does not run. They come after those of
 * `ownMountNamespace`. What is in memory, or the kernel's, is empty and read-only.
 *
 * @throws NamespaceError as {@link mountAll}
 */
export function mountStoppedRoot(mounts: readonly Mount[], { root, readonlyRoot }: StoppedRoot, slots: SlotAllocator): Program {
  const { kind } = idMapping();
  const { ops } = mountAll(mounts, {
    slots,
    root,
    userNamespace: kind !== 'host',
    singleId: kind === 'single',
    hostNetwork: false,
    masks: false,
    laterUserNamespace: false,
    still: true,
  });
  return [...ops, ...(readonlyRoot ? [mountSetattr(root, { set: MOUNT_ATTR.RDONLY })] : [])];
}
