import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { checkout } from './packed.js';

/** An `@example` of a doc comment. */
export interface DocExample {
  /** The package and the export, as `engine.run`. */
  readonly entry: string;
  readonly code: string;
  /** The lines that it prints: the words after `//` of each line that calls console.log, apart by ", " where it is in a loop. */
  readonly prints: string;
}

/** Returns the examples in the doc comments of all packages. */
export function docExamples(): readonly DocExample[] {
  return globSync('packages/*/src/**/*.ts', { cwd: checkout }).flatMap((file) => {
    const text = readFileSync(path.join(checkout, file), 'utf8');
    // A comment ends at its first `*/`, so what follows is what it describes.
    return [...text.matchAll(/ \* @example\n \* ```js\n((?: \*.*\n)*?) \* ```\n \*\/\nexport (?:async )?(?:function|class) (\w+)/g)].map(
      ([, body = '', name = '']): DocExample => {
        const code = body.replaceAll(/^ \* ?/gm, '');
        const prints = [...code.matchAll(/console\.log\(.*\); \/\/ (.*)/g)].map(([, words = '']) => words.replaceAll(', ', '\n'));
        return { entry: `${file.split('/')[1]}.${name}`, code, prints: `${prints.join('\n')}\n` };
      },
    );
  });
}
