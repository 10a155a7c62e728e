import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { visible } from '@lamella/syscall';
import { clean } from './clean.js';
import { busy, incomplete } from './errors.js';
import { appliedOf, applyingOf, readJournal, readMark, underWay } from './journal.js';
import { locked } from './ops.js';
import { Session } from './session.js';
import { takeBack } from './take-back.js';

/**
 * Takes back what was interrupted: an apply that did not come to its end, or removes what is left of one that did. An undo is
 * finished. Every command does this first, and it costs one readdir when there is nothing.
 *
 * @param root absolute path of the store
 * @throws EngineError `APPLY_INCOMPLETE`
 */
export async function recover(root: string): Promise<void> {
  for (const id of underWay(root)) await recoverOne(root, id);
}

/**
 * The same for one container. Somebody who is at it holds the lock, and is left alone.
 *
 * @param token of the apply, if only that is meant
 */
export async function recoverOne(root: string, id: string, token?: string): Promise<void> {
  if (!existsSync(appliedOf(root, id))) return rm(applyingOf(root, id), { force: true });
  try {
    await using session = await Session.open();
    await session.run(locked(root, id));
    const mark = await readMark(root, id);
    if (!mark || (token !== undefined && mark.token !== token)) return;
    let journal = await readJournal(root, id);
    if (journal && journal.version !== 2) throw new TypeError('it was written by another version of Lamella');
    const isBegun = journal?.token === mark.token && (journal.state === 'begun' || (journal.state === 'done' && mark.undo === 'begun'));
    if (journal && isBegun) {
      const { journal: next, kept } = await takeBack(session, { root, journal, mark });
      journal = next;
      // Nobody asked for this, so nobody reads a result of it.
      if (kept.length)
        process.emitWarning(
          visible(
            `An interrupted apply of the container ${id} was taken back. ${kept.map(({ path, at }) => `${path} had changed since: see ${at}.`).join(' ')}`,
          ),
          { code: 'LAMELLA_KEPT' },
        );
    }
    await clean(session, root, id, journal, mark);
  } catch (error) {
    if (busy(error)) return;
    const journal = await readJournal(root, id);
    throw incomplete({ id, parts: journal?.parts ?? [] }, error);
  }
}
