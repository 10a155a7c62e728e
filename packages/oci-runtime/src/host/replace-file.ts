import { renameSync, writeFileSync } from 'node:fs';

/** Writes a file and renames it into place. Readers without the lock see the old file or the new one. */
export function replaceFile(file: string, text: string): void {
  writeFileSync(`${file}.new`, text, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}
