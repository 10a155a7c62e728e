import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { checkout } from './packed.js';

const text = readFileSync(path.join(checkout, 'ARCHITECTURE.md'), 'utf8');

test('the walks in ARCHITECTURE.md lead to files that contain these names', () => {
  const walks = text.slice(text.indexOf('## Five walks'), text.indexOf('## Invariants'));
  // A path, and mostly the names in it behind that.
  const steps = [...walks.matchAll(/`((?:packages|apps)\/[\w./-]+)`(?:\s+\(((?:`\w+`(?:, )?)+)\))?/g)].map(([, file = '', names = '']) => ({
    file,
    names: [...names.matchAll(/`(\w+)`/g)].map(([, name = '']) => name),
  }));
  expect(steps.length).toBeGreaterThan(9);
  const missing = steps.flatMap(({ file, names }) => {
    const found = path.join(checkout, file);
    if (!existsSync(found)) return [file];
    const content = readFileSync(found, 'utf8');
    return names.filter((name) => !new RegExp(`\\b${name}\\b`).test(content)).map((name) => `${name} in ${file}`);
  });
  expect(missing).toEqual([]);
});

test('ARCHITECTURE.md lists the folders that the packages have', () => {
  const map = text.slice(text.indexOf('## Rooms'), text.indexOf('## Entry points'));
  const rows = [...map.matchAll(/^\| `([\w-]+)` +\| (`.*`[^|]*)\|$/gm)].map(([, name = '', folders = '']) => [name, folders.matchAll(/`([\w-]+)`/g)] as const);
  const lists = [['engine', map.matchAll(/^([\w-]+)\/ /gm)] as const, ...rows];
  expect(lists.length).toBe(5);
  for (const [name, folders] of lists) {
    const source = path.join(checkout, name === 'cli' ? 'apps/cli/src' : `packages/${name}/src`);
    const found = readdirSync(source, { withFileTypes: true }).filter((each) => each.isDirectory());
    expect([...folders].map(([, folder]) => folder).sort(), name).toEqual(found.map((each) => each.name).sort());
  }
});

test('ARCHITECTURE.md stays short', () => {
  expect(text.split('\n').length).toBeLessThan(120);
});
