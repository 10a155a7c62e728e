import { type Journal, type Mark, strays } from './journal.js';
import { removed, unmarked } from './ops.js';
import type { Session } from './session.js';

/**
 * Removes what nothing needs any more when something is over, and then its mark: until then the next command does the same again. The
 * session holds the lock.
 */
export async function clean(session: Session, root: string, id: string, journal: Journal | undefined, mark: Pick<Mark, 'token' | 'stages'>): Promise<void> {
  await session.run([...mark.stages.map(removed), ...strays(root, id, journal).map(removed), unmarked(root, id)]);
}
