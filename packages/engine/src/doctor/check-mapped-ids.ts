import { idMapping, ownMountNamespace, run, slotAllocator, unfitForUpper } from '@lamella/syscall';
import { makeUserNamespace, mapOntoItself, mapsIds, range } from '../isolation/userns.js';
import { explained, type Finding } from './finding.js';

/** Checks separate ids for containers: root needs idmapped mounts, ordinary users need a FUSE server that shows files with these ids. */
export async function checkMappedIds(root: string, store: Finding, served: Finding): Promise<Finding[]> {
  if (idMapping().kind === 'single' || store.state !== 'ok') return [];
  const subject = 'mapped ids';
  if (idMapping().kind === 'full' || unfitForUpper(root) !== undefined || !mapsIds(root)) {
    if (served.state === 'ok') return [{ subject, state: 'ok', detail: 'run --userns auto, by fuse-overlayfs' }];
    return [{ ...served, subject, consequence: 'run --userns auto fails: containers share the ids of who starts them.' }];
  }
  const slots = slotAllocator();
  const userns = slots();
  try {
    await run([makeUserNamespace(range(524_288, 524_288, 65_536), userns), ...ownMountNamespace(), ...mapOntoItself(root, userns, slots)]);
    return [{ subject, state: 'ok', detail: 'run --userns auto' }];
  } catch (error) {
    return [
      {
        subject,
        state: 'missing',
        ...explained(error),
        consequence: "run --userns auto fails: root's containers share the ids of the host.",
        remedy: `Linux 5.19 or later, and a store on ext4, xfs or btrfs (tmpfs since 6.3), where ${root} is not.`,
      },
    ];
  }
}
