import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Containers, ImageStore, type StoredContainer } from '@lamella/engine';
import { busyboxArchive, outlivingDirectory } from '@lamella-test/scratch';
import { test as base, beforeAll, expect } from 'vitest';
import { containerTest } from './index.js';
import { type Readiness, startService } from './service.js';
import { changesSince } from './since-setup.js';

// Known before the tests are collected, as a store is. The file's own container goes after every hook.
const root = outlivingDirectory('service');
beforeAll(async () => {
  await new ImageStore(root).import(busyboxArchive(), 'busybox');
});

const PAGE = 'http://127.0.0.1:8080/';
const test = containerTest({
  root,
  image: 'busybox',
  args: ['sh', '-c', 'mkdir -p /www; [ -e /www/index.html ] || echo empty > /www/index.html; echo serving; exec httpd -f -p 8080 -h /www'],
  ready: { log: /^serving$/, port: 8080, command: ['wget', '-q', '-O', '/dev/null', PAGE] },
  async setup(container) {
    expect((await container.sh(`wget -q -O - ${PAGE}`)).stdout).toBe('empty');
    await container.sh('echo set up > /www/index.html');
  },
});

test('a service runs beside the commands of a test', async ({ container }) => {
  expect((await container.sh(`wget -q -O - ${PAGE}`)).stdout).toBe('set up');
  await container.sh('echo of this test > /www/index.html');
  expect((await container.run(['wget', '-q', '-O', '-', PAGE])).stdout).toBe('of this test');
  expect((await container.container.state()).status).toBe('running');
});

test('and is another one for each', async ({ container }) => {
  expect((await container.sh(`wget -q -O - ${PAGE}`)).stdout).toBe('set up');
});

/** Starts a script as a service. @returns the error */
async function started(script: string, ready: Readiness, use?: (container: StoredContainer) => Promise<void>): Promise<{ code: string; message: string }> {
  const container = await new Containers(root).create({ image: 'busybox', args: ['sh', '-c', script] });
  try {
    await startService(container, ready);
    await use?.(container);
    return { code: '', message: '' };
  } catch (error) {
    return error as { code: string; message: string };
  } finally {
    await container.remove({ force: true });
  }
}

base.for<[string, Readiness, RegExp]>([
  ['a port', { port: 1 }, /nobody listens on port 1\./],
  ['a line', { log: /^ready/ }, /nothing in its output is \/\^ready\/\./],
  ['a text', { log: 'ready now' }, /nothing in its output is "ready now"\./],
  ['a command', { command: ['false'] }, /the command false fails\./],
  ['a URL', { http: 'http://127.0.0.1:1/' }, /http:\/\/127\.0\.0\.1:1\/ does not answer with success\./],
])('a service that waits in vain for %s is an error with what it wrote last', async ([, ready, why]) => {
  const { code, message } = await started('echo not ready; printf "\\033[31mred\\n" >&2; exec sleep 1000', { ...ready, timeout: 1000 });
  expect(code).toBe('SERVICE_NOT_READY');
  expect(message).toMatch(/^the service was not ready within 1000 ms: /);
  expect(message).toMatch(why);
  expect(message).toContain('The last that it wrote:\n  not ready\n  ');
  expect(message).not.toContain('\u001b');
});

base('a service that ends before it is ready is one with its status', async () => {
  const { code, message } = await started('echo no such table >&2; exit 3', { port: 1 });
  expect([code, message]).toEqual(['SERVICE_ENDED', expect.stringMatching(/status 3 before it was ready.*no such table/s)]);
});

base('a URL is asked until it answers with success', async () => {
  let asked = 0;
  const server = createServer((_, response) => response.writeHead(++asked < 3 ? 503 : 200).end()).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  expect(await started('exec sleep 1000', { http: `http://127.0.0.1:${port}/` })).toMatchObject({ code: '' });
  expect(asked).toBe(3);
  server.close();
});

base('what a test changed is told since the setup', async () => {
  const container = await new Containers(root).create({ image: 'busybox' });
  const sh = async (script: string): Promise<void> => void (await (await container.run({ args: ['sh', '-c', script] })).result);
  try {
    await sh('mkdir /db; for each in kept changed touched gone; do echo 1 > /db/$each; done; rm /bin/vi; chmod 700 /home');
    await container.checkpoint('setup');
    const setup = await Array.fromAsync(container.changes());
    expect(changesSince(setup, await Array.fromAsync(container.changes()))).toEqual([]);
    await sh('echo 2 > /db/changed; chmod 600 /db/touched; rm /db/gone /bin/sed; echo x > /db/new; ln -s busybox /bin/vi; chmod 755 /home');
    expect(changesSince(setup, await Array.fromAsync(container.changes())).map(({ kind, path: where }) => `${kind} ${where}`)).toEqual([
      'deleted /bin/sed',
      'added /bin/vi',
      'modified /db/changed',
      'deleted /db/gone',
      'added /db/new',
      'modified /db/touched',
      'modified /home',
    ]);
  } finally {
    await container.remove({ force: true });
  }
});
