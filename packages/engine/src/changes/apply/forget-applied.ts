import { existsSync } from 'node:fs';
import path from 'node:path';
import { EngineError } from '../../model/engine-error.js';
import { afterwards } from './clean-up.js';
import { busy } from './errors.js';
import { Session } from './inspect/session.js';
import { applied, appliedOf, type Journal, readJournal, strays } from './program/journal.js';
import { journaled, locked, removed } from './program/ops.js';

/**
 * Leaves one way back for each directory of the host, that of the last apply: what other containers' applies to the same directories
 * kept is removed. Their parts for other directories can be taken back as before, and what they left is known still.
 */
export async function forgetOthers(root: string, id: string, sources: readonly string[]): Promise<void> {
  for (const other of applied(root)) {
    const journal = other === id ? undefined : await readable(root, other);
    if (!journal || journal === 'unreadable' || !isOf(journal, sources)) continue;
    await afterwards(`What applies of the container ${other} kept cannot be removed`, () =>
      withLock(root, other, async (session) => {
        const now = await readable(root, other);
        if (!now || now === 'unreadable' || now.state === 'begun' || !isOf(now, sources)) return;
        const next = without(now, sources);
        await session.run(journaled(root, next));
        await session.run(strays(root, other, next).map(removed));
      }),
    );
  }
}

const isOf = ({ parts, kept }: Journal, sources: readonly string[]): boolean => [...parts, ...kept].some(({ source }) => sources.includes(source));

/** Returns a journal without what can be taken back of some sources. */
function without(journal: Journal, sources: readonly string[]): Journal {
  const stays = ({ source }: { readonly source: string }): boolean => !sources.includes(source);
  const [parts, kept] = [journal.parts.filter(stays), journal.kept.filter(stays)];
  const gone = journal.parts.filter((part) => !stays(part)).map(({ source }) => source);
  return {
    ...journal,
    state: parts.length || kept.length ? journal.state : 'forgotten',
    parts,
    kept,
    forgotten: [...new Set([...(journal.forgotten ?? []), ...gone])],
  };
}

/**
 * Removes the records of applies of containers that are gone, where nothing is kept and nothing can be undone: nobody needs
 * these records again.
 */
export async function forgetTakenBack(root: string): Promise<void> {
  for (const id of applied(root)) {
    if (existsSync(path.join(root, 'containers', id)) || !isOver(await readable(root, id))) continue;
    await withLock(root, id, async (session) => {
      if (isOver(await readable(root, id))) await session.run([removed(appliedOf(root, id))]);
    });
  }
}

/** Returns a journal, or `unreadable`: what it is about is left alone. */
async function readable(root: string, id: string): Promise<Journal | 'unreadable' | undefined> {
  try {
    return await readJournal(root, id);
  } catch (error) {
    if (error instanceof EngineError && error.code === 'APPLY_INCOMPLETE') return 'unreadable';
    throw error;
  }
}

const isOver = (journal: Journal | 'unreadable' | undefined): boolean =>
  !journal || (journal !== 'unreadable' && (journal.state === 'undone' || journal.state === 'forgotten') && !journal.kept.length);

/** Does nothing while another process holds the lock: that process works on the same container. */
async function withLock(root: string, id: string, work: (session: Session) => Promise<void>): Promise<void> {
  try {
    await using session = await Session.open();
    await session.run(locked(root, id));
    await work(session);
  } catch (error) {
    if (!busy(error)) throw error;
  }
}
