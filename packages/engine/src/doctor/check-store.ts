import { access, constants, statfs } from 'node:fs/promises';
import path from 'node:path';
import { makeDirectory } from '@lamella/image';
import { probeFeatures } from '@lamella/overlay';
import { unfitForUpper } from '@lamella/syscall';
import { explained, type Finding } from './finding.js';
import { inScratch } from './scratch.js';

export async function checkStore(root: string): Promise<Finding> {
  const consequence = 'Nothing can be imported or run.';
  try {
    makeDirectory(path.join(root, 'containers'));
  } catch (error) {
    return { subject: 'store', state: 'broken', consequence, ...explained(error) };
  }
  try {
    await access(root, constants.W_OK);
  } catch (error) {
    const detail = `${root} cannot be written to: ${(error as NodeJS.ErrnoException).code}`;
    return { subject: 'store', state: 'broken', detail, consequence, remedy: 'Choose another with --root or LAMELLA_ROOT.' };
  }
  const { bavail, bsize, type } = await statfs(root);
  return { subject: 'store', state: 'ok', detail: `${root} (${((bavail * bsize) / 1e9).toFixed(1)} GB free, filesystem 0x${type.toString(16)})` };
}

export async function checkOverlay(root: string, store: Finding, served: Finding): Promise<Finding> {
  const consequence = 'Nothing can be run.';
  if (store.state !== 'ok')
    return { subject: 'overlay', state: 'broken', detail: 'not tried, because there is no store', consequence, remedy: store.remedy ?? '' };
  const unfit = unfitForUpper(root);
  if (unfit !== undefined && served.state === 'ok') return { subject: 'overlay', state: 'ok', detail: `no upper can be on ${unfit}: by fuse-overlayfs` };
  try {
    const features = await inScratch(root, probeFeatures);
    const having = Object.entries(features)
      .filter(([name, has]) => has && name !== 'overlay')
      .map(([name]) => name);
    if (features.overlay) return { subject: 'overlay', state: 'ok', detail: having.join(' ') };
    return {
      subject: 'overlay',
      state: 'broken',
      detail: `an overlay cannot be mounted with its upper in ${root}`,
      consequence,
      remedy: `${unfit === undefined ? 'Load it (modprobe overlay), use' : 'Use'} a --root on ext4, xfs, btrfs or tmpfs${unfit === undefined ? ', and Linux 5.11 or later without root' : ', or fuse-overlayfs, see below'}.`,
    };
  } catch (error) {
    return { subject: 'overlay', state: 'broken', consequence, ...explained(error) };
  }
}
