import { accessSync, constants, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { visible } from '@lamella/syscall';
import { NamespaceError } from '../model/namespace-error.js';
import { isFileForm } from './forms.js';

/**
 * Checks the files that a command reads and writes before it starts: nobody can take back a command that has run. A file that changes
 * meanwhile fails the result.
 *
 * @throws NamespaceError `INPUT_FAILED`, `OUTPUT_FAILED`
 */
export function checkFiles(inputs: readonly unknown[], outputs: readonly unknown[]): void {
  for (const file of inputs.flatMap(fileOf)) {
    const why = reason(() => expectReadable(file));
    if (why)
      throw new NamespaceError({ code: 'INPUT_FAILED', message: `${visible(file)} cannot be read: ${why.code}`, hint: 'Name a file that exists.', cause: why });
  }
  for (const file of outputs.flatMap(fileOf)) {
    const why = reason(() => expectWritable(file));
    if (why)
      throw new NamespaceError({
        code: 'OUTPUT_FAILED',
        message: `${visible(file)} cannot be written: ${why.code}`,
        hint: 'Name a file in a directory that exists.',
        cause: why,
      });
  }
}

function fileOf(form: unknown): readonly string[] {
  if (form instanceof URL) return [fileURLToPath(form)];
  return isFileForm(form) ? [form.file] : [];
}

function reason(check: () => void): NodeJS.ErrnoException | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    return error as NodeJS.ErrnoException;
  }
}

function expectReadable(file: string): void {
  accessSync(file, constants.R_OK);
  refuseDirectory(file);
}

/** A file that is not there is made; its directory has to be. */
function expectWritable(file: string): void {
  if (statSync(file, { throwIfNoEntry: false })) {
    refuseDirectory(file);
    accessSync(file, constants.W_OK);
  } else accessSync(path.dirname(path.resolve(file)), constants.W_OK | constants.X_OK);
}

function refuseDirectory(file: string): void {
  if (statSync(file).isDirectory()) throw Object.assign(new Error('EISDIR: illegal operation on a directory'), { code: 'EISDIR' });
}
