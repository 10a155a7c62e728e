import { renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** Written whole, and renamed into its place: whoever waits for it never reads half of it. */
export function writePidFile(file: string, pid: number): void {
  const beside = path.join(path.dirname(file), `.${path.basename(file)}.${process.pid}`);
  // Others may write there as well: a name that they made, a link or a FIFO, is not written through.
  rmSync(beside, { force: true });
  writeFileSync(beside, String(pid), { mode: 0o644, flag: 'wx' });
  renameSync(beside, file);
}
