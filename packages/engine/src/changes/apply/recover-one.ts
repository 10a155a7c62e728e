import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { SyscallError, visible } from '@lamella/syscall';
import { EngineError } from '../../model/engine-error.js';
import { afterwards, clean, leftOf } from './clean-up.js';
import { busy, incomplete } from './errors.js';
import { Session } from './inspect/session.js';
import { appliedOf, applyingOf, isBegun, type Journal, readJournal, readMark } from './program/journal.js';
import { locked } from './program/ops.js';
import { takeBack } from './take-back.js';

/**
 * Undoes an interrupted apply of one container, see {@link recover}. Does nothing while another process holds the lock.
 * Waits for the operations that a killed process left to its interpreter.
 *
 * @param token of the apply, if only that is meant
 */
export async function recoverOne(root: string, id: string, token?: string, tries = 0): Promise<void> {
  if (!existsSync(appliedOf(root, id))) return rm(applyingOf(root, id), { force: true });
  let journal: Journal | undefined;
  try {
    await using session = await Session.open();
    await session.run(locked(root, id));
    const mark = await readMark(root, id);
    if (!mark || (token !== undefined && mark.token !== token)) return;
    journal = await readJournal(root, id);
    if (journal && isBegun(journal, mark)) {
      const { journal: next, kept } = await takeBack(session, { root, journal, mark });
      journal = next;
      // Nobody asked for this, so nobody reads a result of it.
      if (kept.length)
        process.emitWarning(
          visible(
            `An interrupted apply of the container ${id} was taken back. ${kept.map(({ path, at }) => `${path} had changed since: it is kept in ${at} until the next apply to the same directory.`).join(' ')}`,
          ),
          { code: 'LAMELLA_KEPT' },
        );
    }
    await afterwards(leftOf(id), () => clean(session, root, id, journal, mark), SyscallError);
  } catch (error) {
    if (busy(error)) {
      if (tries < TRIES && (await isOrphan(root, id))) {
        await sleep(20);
        return recoverOne(root, id, token, tries + 1);
      }
      return;
    }
    if (error instanceof EngineError && error.code === 'APPLY_INCOMPLETE') throw error;
    throw incomplete(journal ?? { id, parts: [] }, error);
  }
}

/** How often it is looked whether the interpreter of a killed process has ended, 20 ms apart. */
const TRIES = 250;

/** Whether the process that is at it is gone. */
async function isOrphan(root: string, id: string): Promise<boolean> {
  const pid = (await readMark(root, id))?.pid;
  if (pid === undefined) return false;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}
