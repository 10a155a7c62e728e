import { existsSync } from 'node:fs';
import path from 'node:path';

/**
 * The tar of the default image, which the test run makes before any test.
 *
 * @returns its absolute path
 */
export function busyboxArchive(): string {
  const file = path.join(import.meta.dirname, '../../../.lamella/busybox.tar');
  if (!existsSync(file)) throw new Error(`${file} is missing: run the tests by npm test, which makes it`);
  return file;
}
