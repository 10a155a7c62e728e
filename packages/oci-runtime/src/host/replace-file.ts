import { renameSync, writeFileSync } from 'node:fs';

/** Write a file whole, and rename it into its place: who reads it meanwhile, without the lock, finds the old one or the new one. */
export function replaceFile(file: string, text: string): void {
  writeFileSync(`${file}.new`, text, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}
