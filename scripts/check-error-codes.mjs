#!/usr/bin/env node
/**
 * The compiler holds that an error has a code of its package's table. This checks what it cannot see: each code is in the
 * package's README, by its name or by its beginning (`TAR_*`); the sources use each code; and a code that `@throws` names
 * after an error class is in the table of that class.
 */
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { errorCodes } from './error-codes.mjs';

const root = path.join(import.meta.dirname, '..');
const tables = errorCodes(root);
const optionCodes = tables.find(({ errorClass }) => errorClass === 'OPTION').codes;
const problems = [];

for (const { directory, errorClass, codes } of tables) {
  if (!codes.size) problems.push(`${directory}: the table of ${errorClass} is empty, or cannot be read`);
  if (!directory.startsWith('packages/')) continue;
  const listed = new Set([...readFileSync(path.join(root, directory, 'README.md'), 'utf8').matchAll(/`([A-Z][A-Z0-9_]*\*?)`/g)].map(([, name]) => name));
  const beginnings = [...listed].filter((name) => name.endsWith('*')).map((name) => name.slice(0, -1));
  const text = sourcesOf(directory)
    .map(({ text }) => text)
    .join('\n');
  for (const code of codes.keys()) {
    if (!listed.has(code) && !beginnings.some((beginning) => code.startsWith(beginning))) problems.push(`${directory}/README.md does not list ${code}`);
    if (!text.includes(`'${code}'`)) problems.push(`${directory}: no error has the code ${code}`);
  }
}

const codesOf = new Map(tables.map(({ errorClass, codes }) => [errorClass, codes]));
for (const directory of globSync(['packages/*', 'apps/*'], { cwd: root }))
  for (const { file, text } of sourcesOf(directory))
    for (const [, thrown] of text.matchAll(/@throws([^@]*?)(?=\*\/|\n\s*\* @)/g))
      for (const [, errorClass, names] of thrown.replace(/\n\s*\*/g, ' ').matchAll(/(\w+Error)\s+((?:`[A-Z][A-Z0-9_]*`(?:,|;| and| or)?\s*)+)/g))
        for (const [, code] of names.matchAll(/`(\w+)`/g))
          if (codesOf.has(errorClass) && !codesOf.get(errorClass).has(code) && !optionCodes.has(code))
            problems.push(`${file}: @throws names ${code}, which no ${errorClass} has`);

function sourcesOf(directory) {
  return globSync(`${directory}/src/**/*.ts`, { cwd: root })
    .filter((file) => !file.endsWith('.test.ts') && !file.endsWith('/error-codes.ts'))
    .map((file) => ({ file, text: readFileSync(path.join(root, file), 'utf8') }));
}

for (const problem of problems) console.error(problem);
if (problems.length) process.exit(1);
