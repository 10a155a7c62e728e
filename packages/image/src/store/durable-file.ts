import { randomUUID } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import path from 'node:path';

/** Writes a file so that after a power cut either the old or the new one is there: temp, fsync, rename, fsync. */
export async function writeDurably(file: string, content: string | Uint8Array, mode: number = 0o644): Promise<void> {
  await writeAllDurably([file], content, mode);
}

/** The same of files with one content: on a full disk all of them are the old ones. */
export async function writeAllDurably(files: readonly string[], content: string | Uint8Array, mode: number = 0o644): Promise<void> {
  const written = files.map((file) => ({ file, temporary: path.join(path.dirname(file), `.${path.basename(file)}.${randomUUID()}`) }));
  try {
    for (const { temporary } of written) {
      const handle = await open(temporary, 'wx', mode);
      try {
        await handle.writeFile(content);
        await handle.sync();
      } finally {
        await handle.close();
      }
    }
    for (const { file, temporary } of written) await publish(temporary, file);
  } catch (error) {
    for (const { temporary } of written) await rm(temporary, { force: true });
    throw error;
  }
}

/** Renames into place, durably. */
export async function publish(temporary: string, file: string): Promise<void> {
  await rename(temporary, file);
  await syncDirectory(path.dirname(file));
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
