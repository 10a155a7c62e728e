#!/usr/bin/env node
/**
 * Every code that an error of a package can have is in the tables of its README, by its name or by the beginning of it
 * (`TAR_*`): programs are written against them.
 */
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';

const root = path.join(import.meta.dirname, '..');
const problems = [];

for (const readme of globSync('packages/*/README.md', { cwd: root })) {
  const directory = path.dirname(readme);
  const told = new Set([...readFileSync(path.join(root, readme), 'utf8').matchAll(/`([A-Z][A-Z0-9_]*\*?)`/g)].map(([, name]) => name));
  const beginnings = [...told].filter((name) => name.endsWith('*')).map((name) => name.slice(0, -1));
  const sources = globSync(`${directory}/src/**/*.ts`, { cwd: root }).filter((file) => !file.includes('.test.'));
  for (const file of sources)
    for (const [, code] of readFileSync(path.join(root, file), 'utf8').matchAll(/\bcode: '([A-Z][A-Z0-9]*_[A-Z0-9_]*)'/g))
      if (!told.has(code) && !beginnings.some((beginning) => code.startsWith(beginning))) problems.push(`${file}: ${code} is not in ${readme}`);
}

for (const problem of problems) console.error(problem);
if (problems.length) process.exit(1);
