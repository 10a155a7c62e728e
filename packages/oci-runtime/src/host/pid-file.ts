import { renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** Writes a pid file and renames it into place, so that no reader sees half of it. */
export function writePidFile(file: string, pid: number): void {
  const beside = path.join(path.dirname(file), `.${path.basename(file)}.${process.pid}`);
  // Other users may write to the directory: a link or a FIFO of theirs must not be followed.
  rmSync(beside, { force: true });
  writeFileSync(beside, String(pid), { mode: 0o644, flag: 'wx' });
  renameSync(beside, file);
}
