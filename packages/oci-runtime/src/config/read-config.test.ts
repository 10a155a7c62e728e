import { mkdirSync, writeFileSync } from 'node:fs';
import { scratch } from '@lamella-test/scratch';
import { expect, test } from 'vitest';
import { parseResources, readConfig, readProcess } from './read-config.js';

test('a bundle without a configuration, and one that is not JSON, are errors with a hint', async () => {
  await using at = await scratch();
  expect(() => readConfig(at.path)).toThrow(expect.objectContaining({ code: 'BUNDLE_MISSING', hint: expect.stringContaining('lamella-oci spec') }));
  writeFileSync(at.join('config.json'), '{');
  expect(() => readConfig(at.path)).toThrow(/config\.json: invalid JSON: /);
});

test('unknown properties are ignored, and nulls count as absent', async () => {
  await using at = await scratch();
  mkdirSync(at.join('rootfs'));
  writeFileSync(at.join('config.json'), JSON.stringify({ ociVersion: '1.0.2', root: { path: 'rootfs' }, hostname: null, luck: 1 }));
  const { config } = readConfig(at.path);
  expect(config.root.path).toBe('rootfs');
  expect(config.hostname).toBeUndefined();
});

test('a wrong value is named by its path', async () => {
  await using at = await scratch();
  writeFileSync(at.join('process.json'), JSON.stringify({ args: ['sh'], cwd: 'tmp', user: { uid: 0, gid: 0 } }));
  expect(() => readProcess(at.join('process.json'))).toThrow(/cwd: .*is not an absolute path/);
});

test('numbers beyond 2^53 are kept', () => {
  expect(parseResources('{"memory": {"limit": 9223372036854775807}}', 'stdin').memory?.limit).toBeGreaterThan(2 ** 62);
  expect(() => parseResources('{"pids": {"limit": "many"}}', 'stdin')).toThrow(/^stdin: pids\.limit: /);
});
