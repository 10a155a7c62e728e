import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';

const checkout = path.join(import.meta.dirname, '../../..');
const read = (file: string): string => readFileSync(path.join(checkout, file), 'utf8');

test('test/README.md names every file of the suites', () => {
  const text = read('test/README.md');
  const files = globSync('test/{conformance,e2e,faults,machine}/src/**/*.test.ts', { cwd: checkout });
  const missing = files.filter((file) => !text.includes(`\`${file.replace(/^test\/\w+\/src\//, '').replace(/\.test\.ts$/, '')}\``));
  expect(missing).toEqual([]);
});

test('each package names the repository, its page and where to report bugs', () => {
  const { repository, bugs } = JSON.parse(read('package.json'));
  for (const file of globSync('{packages,apps}/*/package.json', { cwd: checkout })) {
    const manifest = JSON.parse(read(file));
    const directory = path.dirname(file);
    expect(manifest, file).toMatchObject({ repository: { ...repository, directory }, bugs, homepage: expect.stringContaining(`/${directory}#readme`) });
    expect(manifest.keywords.length, file).toBeGreaterThan(3);
  }
});
