import { spawnSync } from 'node:child_process';
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type ScratchDirectory, scratch } from '@lamella-test/scratch';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { docExamples } from './doc-examples.js';
import { blocks, checkout, installPacked, packAll, type Tarballs } from './packed.js';

/** The types of the packages as strict users have them: from tarballs, in pnpm's layout, libraries checked, declarations made. */
const { devDependencies } = JSON.parse(readFileSync(path.join(checkout, 'package.json'), 'utf8')) as { devDependencies: Record<string, string> };
const NAMES = ['cgroup', 'cleanup', 'engine', 'image', 'namespace', 'oci-runtime', 'overlay', 'seccomp', 'syscall', 'vitest'];
const OTHERS = { vitest: devDependencies.vitest ?? '', '@types/node': devDependencies['@types/node'] ?? '' };
/** The oldest that is promised besides the one we build with. */
const OLD_TYPESCRIPT = '5.9.3';
const STRICT = {
  target: 'es2024',
  lib: ['es2024', 'esnext.disposable', 'esnext.array'],
  types: ['node'],
  strict: true,
  skipLibCheck: false,
  exactOptionalPropertyTypes: true,
  verbatimModuleSyntax: true,
  noPropertyAccessFromIndexSignature: true,
  declaration: true,
  outDir: 'out',
  rootDir: '.',
};
/** What differs for JavaScript, which cannot say the type of a parameter or of what is caught. */
const OF_JAVASCRIPT = { allowJs: true, checkJs: true, noImplicitAny: false, useUnknownInCatchVariables: false };
const MODULES = {
  nodenext: { module: 'nodenext', moduleResolution: 'nodenext' },
  bundler: { module: 'preserve', moduleResolution: 'bundler' },
};

let at: ScratchDirectory;
let tarballs: Tarballs;

beforeAll(() => {
  at = scratch();
  tarballs = packAll(at.path);
}, 240_000);
afterAll(() => at[Symbol.asyncDispose]());

/** A project that depends on these of our packages alone. @returns what tsc says, by the kind of modules */
function check(
  name: string,
  packages: readonly string[],
  sources: Readonly<Record<string, string>>,
  typescript = devDependencies.typescript ?? '',
): Record<string, string> {
  const directory = at.join(name);
  const own = Object.fromEntries(packages.map((each) => [each, tarballs.get(each) ?? '']));
  installPacked(directory, tarballs, { ...own, ...OTHERS, typescript });
  for (const [file, text] of Object.entries(sources)) writeFileSync(path.join(directory, file), text);
  return Object.fromEntries(
    Object.entries(MODULES).map(([kind, modules]) => {
      const said = ['ts', 'js'].map((language) => {
        const include = Object.keys(sources).filter((file) => file.endsWith(language));
        if (!include.length) return '';
        const compilerOptions = { ...STRICT, ...modules, ...(language === 'js' ? OF_JAVASCRIPT : {}) };
        writeFileSync(path.join(directory, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: include }));
        return spawnSync('node_modules/.bin/tsc', { cwd: directory, encoding: 'utf8' }).stdout;
      });
      return [kind, said.join('')];
    }),
  );
}

const FINE = { nodenext: '', bundler: '' };

/** All blocks of TypeScript and JavaScript that are documentation, each as a module. */
function examples(): Record<string, string> {
  const documents = ['README.md', 'docs/{guides,internals}/*.md', 'packages/*/README.md', 'apps/*/README.md'].flatMap((pattern) =>
    globSync(pattern, { cwd: checkout }),
  );
  // What a module makes of ours is what it may export.
  const exported = (code: string): string => code.replace(/^(?=(?:const|let|function|async function|class) )/gm, 'export ');
  const inComments = docExamples().map(({ entry, code }) => [`comment-${entry.replaceAll('.', '-')}.js`, exported(code)]);
  const inDocuments = documents.flatMap((file) =>
    ['js', 'ts'].flatMap((language) =>
      blocks(readFileSync(path.join(checkout, file), 'utf8'), language).map((code, i) => [
        `${file.replace(/\W+/g, '-')}-${i}.${language === 'js' ? 'js' : 'ts'}`,
        exported(code),
      ]),
    ),
  );
  return Object.fromEntries([...inComments, ...inDocuments]);
}

/** The file of another package of ours that declares what it exports by a name. */
function declarationOf(name: string, from: string): string {
  const dist = path.join(checkout, 'packages', from.replace('@lamella/', ''), 'dist');
  const declares = (file: string): boolean =>
    new RegExp(`export (?:declare (?:abstract )?class|interface) ${name}\\b`).test(readFileSync(path.join(dist, file), 'utf8'));
  const file = globSync('**/*.d.ts', { cwd: dist }).find(declares);
  return file ? readFileSync(path.join(dist, file), 'utf8') : '';
}

/**
 * A module that exports each value of a package, and each member of each of its classes and interfaces: the types of all of
 * them have to have a name for a project that depends on this package alone.
 */
function everyExport(name: string): string {
  const dist = path.join(checkout, 'packages', name, 'dist');
  const index = readFileSync(path.join(dist, 'index.d.ts'), 'utf8');
  const lines = [`import * as all from '@lamella/${name}';`, `import type * as types from '@lamella/${name}';`];
  for (const [, isType, list = '', from = ''] of index.matchAll(/export (type )?\{([^}]*)\} from '([^']+)'/g))
    for (const item of list.split(',').map((each) => each.trim())) {
      const [, own, exported] = /^(?:type )?(\w+)(?: as (\w+))?$/.exec(item) ?? [];
      if (!own) continue;
      const known = exported ?? own;
      if (!isType && !item.startsWith('type ')) lines.push(`export const value_${known} = all.${known};`);
      const source = from.startsWith('.') ? readFileSync(path.join(dist, from.replace(/\.js$/, '.d.ts')), 'utf8') : declarationOf(own, from);
      // Generic ones have no members without their arguments.
      const body = new RegExp(`export (?:declare (?:abstract )?class|interface) ${own}(?: [^{<]*)?\\{\\n(.*?)^\\}`, 'ms').exec(source)?.[1] ?? '';
      const members = [...body.matchAll(/^ {4}(?:readonly |get |abstract )*([a-z]\w*)[?(<:]/gm)].map(([, member]) => member);
      for (const member of new Set(members.filter((each) => each !== 'constructor')))
        lines.push(`export const member_${known}_${member} = (given: types.${known}) => given.${member};`);
    }
  return `${lines.join('\n')}\n`;
}

test('all examples of the documentation are right for a strict user', { timeout: 300_000 }, () => {
  const written = examples();
  expect(Object.keys(written).length).toBeGreaterThan(15);
  const packages = NAMES.map((name) => `@lamella/${name}`);
  expect(check('examples', packages, written)).toEqual(FINE);
  if (process.env.LAMELLA_LONG) expect(check('examples-old', packages, written, OLD_TYPESCRIPT)).toEqual(FINE);
});

test.each(process.env.LAMELLA_LONG ? NAMES : ['engine', 'vitest'])(
  '@lamella/%s, as the only one of ours, names the types of all that it exports',
  { timeout: 300_000 },
  (name) => {
    const sources = { 'exports.ts': everyExport(name) };
    expect(check(name, [`@lamella/${name}`], sources)).toEqual(FINE);
    if (process.env.LAMELLA_LONG) expect(check(`${name}-old`, [`@lamella/${name}`], sources, OLD_TYPESCRIPT)).toEqual(FINE);
  },
);
