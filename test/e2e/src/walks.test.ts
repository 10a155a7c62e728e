import { existsSync, readFileSync } from 'node:fs';
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

test('the folders that ARCHITECTURE.md names exist', () => {
  const rooms = [...text.matchAll(/^\| `([\w-]+)` +\| (`.*`[^|]*)\|$/gm)].flatMap(([, name = '', folders = '']) =>
    [...folders.matchAll(/`([\w-]+)`/g)].map(([, folder = '']) => [name, folder] as const),
  );
  expect(rooms.length).toBeGreaterThan(20);
  const places = ([name, folder]: readonly [string, string]): string[] => {
    const source = path.join(checkout, name === 'cli' ? 'apps/cli/src' : `packages/${name}/src`);
    return [path.join(source, folder), path.join(source, 'run', folder), path.join(source, 'changes', folder)];
  };
  expect(rooms.filter((each) => !places(each).some((place) => existsSync(place))).map((each) => each.join(': '))).toEqual([]);
});

test('ARCHITECTURE.md stays short', () => {
  expect(text.split('\n').length).toBeLessThan(120);
});
