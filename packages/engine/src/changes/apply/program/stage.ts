import { realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { mountPointOf } from '../../../filesystem/host/survey-host.js';
import { appliedOf } from './journal.js';

/** Where an apply puts things together, and where what it replaces is kept. */
export interface StagePlace {
  readonly stage: string;
  /** Set when the stage cannot be in the store: the replaced objects are copied there before the stage goes. */
  readonly keep: string | undefined;
}

/**
 * Returns the place of a stage: in the store where files can be renamed to the target from there, else in the target itself, hidden,
 * and only for as long as the apply takes.
 */
export async function stageFor(root: string, id: string, source: string, name: string): Promise<StagePlace> {
  const inStore = path.join(appliedOf(root, id), `stage-${name}`);
  const [ours, theirs] = await Promise.all(
    [appliedOf(root, id), source].map(async (each) => {
      const real = await realpath(each);
      return { mount: mountPointOf(real), device: (await stat(real)).dev };
    }),
  );
  // Subvolumes of one mount are separate devices.
  if (ours && theirs && ours.mount === theirs.mount && ours.device === theirs.device) return { stage: inStore, keep: undefined };
  return { stage: path.join(source, `.lamella-${name}`), keep: inStore };
}
