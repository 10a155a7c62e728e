import { FILE_BOUNDS, readNamedText } from '@lamella/syscall';
import { readFailure } from '../errors/read-failure.js';
import { UsageError } from '../errors/usage-error.js';

/**
 * Returns the entries of files of `KEY=VALUE` lines, as Docker reads them: lines that are empty or begin with
 * # are none, a value is all behind the first =, and what is before a key does not count.
 *
 * @param what what a key is: `a variable`
 * @throws UsageError
 */
export function readKeyValueFiles(files: readonly string[], what: 'a variable' | 'a label'): readonly string[] {
  return files.flatMap((file) => {
    let text: string;
    try {
      text = readNamedText(file, FILE_BOUNDS.environment);
    } catch (error) {
      const kind = what === 'a variable' ? 'environment' : 'label';
      throw new UsageError(`the ${kind} file ${file} cannot be read: ${readFailure(error)}`, 'Check the path and its permissions.');
    }
    const lines = text.replace(/^(?:\ufeff|\u00ef\u00bb\u00bf)/, '').split('\n');
    return lines.flatMap((line, i) => {
      const entry = line.replace(/\r$/, '').trimStart();
      if (!entry || entry.startsWith('#')) return [];
      const [key = ''] = entry.split('=', 1);
      if (!key || /\s/.test(key)) throw new UsageError(`'${entry}' (line ${i + 1} of ${file}) does not name ${what}`, 'Write lines of NAME=VALUE, or NAME.');
      return [entry];
    });
  });
}
