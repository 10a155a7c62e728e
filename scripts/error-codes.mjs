import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';

const TABLE = /\{@link (\w+)\}[^/]*\*\/\n(?:export )?const \w+_ERROR_CODES = \{\n([^}]*)\} as const/g;
const OPTION_TABLE = /export const (OPTION)_ERROR_CODES = \{\n([^}]*)\} as const/g;
const ROW = /^ {2}(\w+): (?:'((?:[^'\\]|\\.)*)'|"([^"]*)"),$/gm;

/**
 * Returns the tables of error codes of all packages, from their `error-codes.ts`: for each error class its package, its
 * name, and the meaning of each code. The codes of errors about options have a separate table, with the class `OPTION`;
 * each class but `CommandError`, `FileError` and `CliError` has them too.
 */
export function errorCodes(root) {
  return globSync(['packages/*/src/**/error-codes.ts', 'apps/*/src/**/error-codes.ts'], { cwd: root })
    .sort()
    .flatMap((file) => {
      const text = readFileSync(path.join(root, file), 'utf8');
      const [, directory] = /^((?:packages|apps)\/[^/]+)\//.exec(file);
      return [TABLE, OPTION_TABLE].flatMap((pattern) =>
        [...text.matchAll(pattern)].map(([, errorClass, rows]) => ({
          directory,
          errorClass,
          codes: new Map([...rows.matchAll(ROW)].map(([, code, single, double]) => [code, (single ?? double).replaceAll("\\'", "'")])),
        })),
      );
    });
}
