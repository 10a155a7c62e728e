import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Containers, ImageStore } from '@lamella/engine';
import { busyboxArchive } from '@lamella-test/scratch';
import { beforeAll, describe, expect, test as plain } from 'vitest';
import { containerTest } from './index.js';
import { untilReady } from './ready.js';
import { sinceSetup } from './since-setup.js';

// Known before the tests are collected, as a store is.
const root = path.join(mkdtempSync(path.join(tmpdir(), 'lamella-test-')), 'store');
beforeAll(async () => {
  await new ImageStore(root).import(busyboxArchive(), 'busybox');
});
// The file's own container goes after every hook.
process.once('exit', () => rmSync(path.dirname(root), { recursive: true }));

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

const served = containerTest({
  root,
  image: 'busybox',
  args: ['sh', '-c', 'echo ready to serve; exec httpd -f -p 8080 -h /www'],
  ready: { log: /ready .* serve/, port: 8080, command: ['wget', '-q', '-O', '/dev/null', 'http://127.0.0.1:8080/page'] },
  async setup(container) {
    await container.sh('mkdir /www; echo served > /www/page');
  },
});

describe('a server', () => {
  served('runs while a test does, beside its commands', async ({ container }) => {
    expect((await container.sh('wget -q -O - http://127.0.0.1:8080/page')).stdout).toBe('served');
    expect(await container.run(['cat'], { input: 'typed', lines: true })).toMatchObject({ stdout: ['typed'] });
    await container.sh('echo changed > /www/page');
  });

  served('is another one in each test, on what was set up', async ({ container }) => {
    expect((await container.sh('wget -q -O - http://127.0.0.1:8080/page; ps | grep -c "[h]ttpd"')).stdout).toBe('served\n1');
  });
});

plain('options that cannot be are refused before any test', () => {
  const refused = (options: object, code: string) =>
    expect(() => containerTest({ root, image: 'busybox', ...options } as never)).toThrow(expect.objectContaining({ code }));
  refused({ name: 'x' }, 'OPTION_UNKNOWN');
  refused({ setup: 5 }, 'OPTION_INVALID');
  refused({ ready: { port: 80 } }, 'OPTION_INVALID');
  refused({ args: ['true'], ready: { prot: 80 } }, 'OPTION_UNKNOWN');
  refused({ args: ['true'], ready: { port: 70_000 } }, 'OPTION_INVALID');
  refused({ args: ['true'], ready: { http: 'http://127.0.0.1/' } }, 'OPTION_INVALID');
});

plain('a server that ends, or is never ready, is told with what it wrote', async () => {
  const containers = new Containers(root);
  for (const [script, ready, message] of [
    ['echo cannot begin; exit 3', { port: 80 }, /ended before it listened on port 80.*cannot begin/s],
    ['echo waiting; exec sleep 1000', { log: 'ready', timeout: 200 }, /after 200 ms .*wrote ready.*waiting/s],
    ['exec sleep 1000', { command: ['false'], timeout: 200 }, /false succeeded, and it wrote nothing/],
  ] as const) {
    const { container } = await containers.run({ image: 'busybox', args: ['sh', '-c', script] });
    await expect(untilReady(container, ready)).rejects.toMatchObject({ code: 'SERVICE_NOT_READY', message: expect.stringMatching(message) });
    await container.remove({ force: true });
  }
});

plain('what is told of a test that failed is what it did, and not its setup', async () => {
  const origin = await new Containers(root).create({ image: 'busybox' });
  const sh = async (container: typeof origin, script: string) => (await container.run({ args: ['sh', '-c', script] })).result;
  await sh(origin, 'mkdir /db; echo 1 > /db/rows; echo 2 > /db/same; echo 3 > /db/gone; rm /etc/group; echo x >> /etc/passwd');
  const before = await Array.fromAsync(origin.changes());
  const [fork] = await origin.fork();
  if (!fork) throw new Error('no fork');
  expect(sinceSetup(before, await Array.fromAsync(fork.changes()))).toEqual([]);
  await sh(fork, 'echo 4 >> /db/rows; rm /db/gone; echo new > /db/new; echo back > /etc/group');
  const told = sinceSetup(before, await Array.fromAsync(fork.changes())).map(({ kind, path: where }) => `${kind} ${where}`);
  expect(told).toEqual(['deleted /db/gone', 'added /db/new', 'modified /db/rows', 'added /etc/group']);
  await fork.remove();
  await origin.remove();
});
