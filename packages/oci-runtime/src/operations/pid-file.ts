import { renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** Written whole, and renamed into its place: whoever waits for it never reads half of it. */
export function writePidFile(file: string, pid: number): void {
  const beside = path.join(path.dirname(file), `.${path.basename(file)}`);
  writeFileSync(beside, String(pid), { mode: 0o644 });
  renameSync(beside, file);
}
