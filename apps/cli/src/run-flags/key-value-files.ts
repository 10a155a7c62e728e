import { FILE_BOUNDS, readNamedText } from '@lamella/syscall';
import { readFailure } from '../errors/read-failure.js';
import { UsageError } from '../errors/usage-error.js';

/**
 * Returns the entries of files with `KEY=VALUE` lines, as Docker reads them: empty lines and comments (#) are
 * skipped, blanks before a key are ignored, and a value is everything after the first =.
 *
 * @param what the kind of the keys, for messages
 * @throws UsageError
 */
export function readKeyValueFiles(files: readonly string[], what: 'a variable' | 'a label'): readonly string[] {
  return files.flatMap((file) => {
    let text: string;
    try {
      text = readNamedText(file, FILE_BOUNDS.environment);
    } catch (error) {
      const kind = what === 'a variable' ? 'environment' : 'label';
      throw new UsageError(`cannot read the ${kind} file ${file}: ${readFailure(error)}`, 'Check the path and its permissions.');
    }
    const lines = text.replace(/^(?:\ufeff|\u00ef\u00bb\u00bf)/, '').split('\n');
    return lines.flatMap((line, i) => {
      const entry = line.replace(/\r$/, '').trimStart();
      if (!entry || entry.startsWith('#')) return [];
      const [key = ''] = entry.split('=', 1);
      if (!key || /\s/.test(key)) throw new UsageError(`line ${i + 1} of ${file} is not ${what}: '${entry}'`, 'Use lines of NAME=VALUE, or NAME.');
      return [entry];
    });
  });
}
