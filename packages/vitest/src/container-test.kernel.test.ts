import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ImageStore } from '@lamella/engine';
import { busyboxArchive, requiresRoot } from '@lamella-test/scratch';
import { beforeAll, expect, test as plain } from 'vitest';
import { containerTest } from './index.js';

// Known before the tests are collected, as a store is.
const root = path.join(mkdtempSync(path.join(tmpdir(), 'lamella-test-')), 'store');
beforeAll(async () => {
  await new ImageStore(root).import(busyboxArchive(), 'busybox');
});
// The file's own container goes after every hook.
process.once('exit', () => rmSync(path.dirname(root), { recursive: true }));
const containers = (): string[] => readdirSync(path.join(root, 'containers')).filter((name) => !name.startsWith('.'));

let setups = 0;
const test = containerTest({
  root,
  image: 'busybox',
  async setup(container) {
    setups++;
    await container.sh('mkdir /db; echo "1 first" > /db/rows');
  },
});

test('begins with what was set up', async ({ container }) => {
  expect((await container.sh('cat /db/rows')).stdout).toBe('1 first');
  await container.sh('echo "2 second" >> /db/rows; echo x > /left-behind');
});

test('and with nothing of what another test did', async ({ container }) => {
  expect(await container.run(['ls', '/left-behind'])).toMatchObject({ exitCode: 1 });
  await container.sh('rm /db/rows');
  expect((await container.changes()).map(({ kind, path: where }) => `${kind} ${where}`)).toEqual(['added /db']);
  expect(setups).toBe(1);
});

plain('of a test that fails, what it had changed is shown', { timeout: 60_000 }, (context) => {
  requiresRoot(context);
  const before = containers();
  const { status, stdout, stderr } = spawnSync(
    'pnpm',
    ['exec', 'vitest', 'run', '--root', path.join(import.meta.dirname, '../example'), '--reporter=verbose', '--no-color'],
    { cwd: path.join(import.meta.dirname, '..'), encoding: 'utf8', env: { ...process.env, LAMELLA_ROOT: root } },
  );
  expect(stdout).toContain('✓ migration.test.js > a fresh database is migrated');
  expect(stdout).toContain('× migration.test.js > a bad migration leaves nothing half done');
  expect(`${stdout}${stderr}`).toMatch(/the container of this test had changed:\s+A \/db\s+A \/db\/rows/);
  expect(status).toBe(1);
  expect(containers()).toEqual(before);
});
