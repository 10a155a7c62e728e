import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { ProgramError } from '../errors/program-error.js';
import type { IdRange } from '../model/id-range.js';
import { idMapArguments } from './id-map-arguments.js';

/**
 * Runs newuidmap(1) or newgidmap(1). Inside, 0 is the user's own id, and the ranges begin at 1.
 *
 * @param file the file of the ranges, for messages
 * @throws ProgramError `SUBIDS_DENIED`
 */
export async function newIdMap(helper: string, pid: number, own: number, ranges: readonly IdRange[], file: string): Promise<void> {
  const child = spawn(helper, idMapArguments(String(pid), own, ranges), { stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = new Promise<string | undefined>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (status, signal) => resolve(status === 0 ? undefined : `it ended with ${signal ?? `status ${status}`}`));
  });
  const [why, said] = await Promise.all([ended, text(child.stderr)]);
  if (why === undefined) return;
  throw new ProgramError({
    code: 'SUBIDS_DENIED',
    message: `${helper} refuses the ids of ${file}: ${said.trim() || why}`,
    hint: `It must be set-user-id root or have file capabilities, and no range in ${file} may belong to another user. To use a single id instead: LAMELLA_SUBIDS=none.`,
  });
}
