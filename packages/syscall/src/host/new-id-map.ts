import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { ProgramError } from '../errors/program-error.js';
import type { IdRange } from '../model/id-range.js';
import { idMapArguments } from './id-map-arguments.js';

/**
 * Run newuidmap(1) or newgidmap(1): inside, 0 is the user's own id, and from 1 on come the ranges.
 *
 * @param file where the ranges are from, for messages
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
    message: `${helper} refuses the ids that ${file} gives you: ${said.trim() || why}`,
    hint: `It has to be set-user-id root (or to have file capabilities), and no range in ${file} may be another user's. LAMELLA_SUBIDS=none goes without them, with one id.`,
  });
}
