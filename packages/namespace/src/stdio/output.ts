import { createWriteStream } from 'node:fs';
import { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import type { WritableStream } from 'node:stream/web';
import { fileURLToPath } from 'node:url';
import type { ChunkLog } from './chunk-log.js';
import { isFileForm, isWritable, type OutputForm } from './forms.js';
import { isStandard, pump } from './pump.js';

/** Where output goes beside this process's own streams. */
export type OutputTarget = Exclude<OutputForm, 'pipe' | 'ignore'>;

/**
 * Carries a log to a target until its end, and ends the target with it. A target that takes no more does not fail: its reader has seen enough.
 *
 * @throws what writing fails with
 */
export async function carry(log: ChunkLog, target: OutputTarget, own: Writable): Promise<void> {
  const writable = writableOf(target, own);
  const reader = log.reader();
  try {
    if ((await pump(reader, writable)) === 'closed' || isStandard(writable)) return;
  } catch (error) {
    // A file keeps what came; a stream gets an error, because this is not all.
    if (isFileForm(target) || target instanceof URL) writable.end();
    else if (!isStandard(writable)) writable.destroy(error as Error);
    throw error;
  }
  writable.end();
  await finished(writable, { readable: false });
}

function writableOf(target: OutputTarget, own: Writable): Writable {
  if (target === 'inherit') return own;
  if (target === 1) return process.stdout;
  if (target === 2) return process.stderr;
  if (typeof target === 'number') return createWriteStream('', { fd: target, autoClose: false });
  if (target instanceof URL) return createWriteStream(fileURLToPath(target));
  if (isFileForm(target)) return createWriteStream(target.file, { flags: target.append ? 'a' : 'w' });
  if (isWritable(target)) return target;
  return Writable.fromWeb(target as WritableStream);
}
