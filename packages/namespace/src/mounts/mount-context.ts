import type { SlotAllocator } from '@lamella/syscall';

/** What the mounts of one container share while their program is being written. */
export interface MountContext {
  readonly slots: SlotAllocator;
  /** Slot of the container's root. */
  readonly root: number;
  /** In a user namespace no device node can be made and no sysfs of the host's network mounted. */
  readonly userNamespace: boolean;
  /** There is but one id in it, and no group of terminals. */
  readonly singleId: boolean;
  readonly hostNetwork: boolean;
  /** Hide what tells of the host. */
  readonly masks: boolean;
  /** The user namespace is entered only now: what needs more than its ids reach is opened before, and made. */
  readonly laterUserNamespace: boolean;
  /** No process is in there: filesystems of the kernel, and those in memory, are empty and read-only. */
  readonly still?: boolean;
}
