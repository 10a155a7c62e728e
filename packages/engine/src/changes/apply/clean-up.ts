import { existsSync } from 'node:fs';
import { type Program, visible } from '@lamella/syscall';
import { noteReplaced } from '../../filesystem/sources/follow-replaced.js';
import { EngineError } from '../../model/engine-error.js';
import { shownPath } from './errors.js';
import type { Fingerprint } from './inspect/fingerprint.js';
import type { Known } from './inspect/known-objects.js';
import type { Session } from './inspect/session.js';
import { type ForeignStage, type Journal, type Mark, strays } from './program/journal.js';
import { foreignRemoved, removed, unmarked } from './program/ops.js';

/**
 * Removes what nothing needs any more when something is over, and then its mark: until then the next command does the same again. The
 * session holds the lock.
 */
export async function clean(session: Session, root: string, id: string, journal: Journal | undefined, mark: Mark): Promise<void> {
  // An undo records them before its journal is marked as done.
  if (journal?.state === 'done' && journal.token === mark.token && mark.follows?.length) await noteReplaced(root, mark.follows, leftIn(journal.known));
  await session.run([...mark.stages.flatMap(foreignGone), ...strays(root, id, journal).map(removed), unmarked(root, id)]);
}

/**
 * Does what is left to do when an apply, or an undo, is done. A failure here does not change the result, so it is only a warning.
 *
 * @param what cannot be done when `work` fails
 * @param only errors that are no more than a warning. Default: all
 */
export async function afterwards(what: string, work: () => Promise<void>, only: new (...args: never) => Error = Error): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof only)) throw error;
    process.emitWarning(visible(`${what}: ${(error as Error).message}`), { code: 'LAMELLA_LEFT' });
  }
}

/** Returns the ops that remove a stage. The stage cannot be reached where its source has been replaced by another object. */
function foreignGone(stage: ForeignStage): Program {
  try {
    return foreignRemoved(stage);
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    // With the source it is gone.
    if (existsSync(stage.source)) process.emitWarning(visible(`${stage.name}, what is left of an apply, stays: ${error.message}`), { code: 'LAMELLA_LEFT' });
    return [];
  }
}

function leftIn(known: Known): ReadonlyMap<string, Fingerprint> {
  return new Map(known.flatMap(({ source, objects }) => objects.flatMap(([name, object]) => (object ? [[shownPath(source, name), object] as const] : []))));
}

/** Names for {@link afterwards} what {@link clean} could not remove. */
export const leftOf = (id: string): string => `What is left of an apply of the container ${id} cannot be removed; the next command tries again`;
