import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { findProgram, skip } from '@lamella-test/scratch';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, type TestContext, test } from 'vitest';
import { CLI } from './cli.js';
import { useUser } from './user-fixture.js';

const CHROMIUM = findProgram('chromium') ?? findProgram('google-chrome');

describe.each(['root', 'an ordinary user'] as const)('the page of %s', (kind) => {
  const user = useUser(kind);
  let project: string;
  let browser: Browser;
  const serving = new Set<ChildProcess>();
  const { succeeds: lamella } = user;

  beforeAll(async () => {
    if (CHROMIUM) browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu'] });
  });
  afterAll(async () => {
    await browser?.close();
  });
  beforeEach(() => {
    project = `${user.home}/project`;
    rmSync(project, { recursive: true, force: true });
    mkdirSync(`${project}/src`, { recursive: true });
    writeFileSync(`${project}/src/main.js`, 'one\ntwo\nthree\nfour\n');
    writeFileSync(`${project}/old.txt`, 'old\n');
    writeFileSync(`${project}/page<b>.html`, '<i>&</i>\n');
    for (const name of ['', '/src', '/src/main.js', '/old.txt', '/page<b>.html']) chownSync(`${project}${name}`, user.uid, user.uid);
  });
  afterEach(async () => {
    for (const each of serving) {
      each.kill('SIGINT');
      await once(each, 'close');
    }
  });

  /** A container that has changed the project, and the page of it. */
  const serve = async (name: string, script: string): Promise<{ url: string; ended: Promise<string> }> => {
    lamella('create', '--name', name, '-v', `${project}:/work:overlay`, 'busybox', 'sh', '-c', script);
    lamella('start', '-a', name);
    const child = user.spawn(process.execPath, [CLI, 'changes', '--web', name]);
    serving.add(child);
    const said = text(child.stdout as NodeJS.ReadableStream & AsyncIterable<Buffer>);
    const ended = said.then((all) => {
      serving.delete(child);
      return all;
    });
    const url = await new Promise<string>((resolve) =>
      child.stdout?.on('data', (chunk: Buffer) => {
        const found = /http:\S+/.exec(chunk.toString())?.[0];
        if (found) resolve(found);
      }),
    );
    return { url, ended };
  };
  const needsChromium = (context: TestContext): void => {
    if (!CHROMIUM) skip(context, 'chromium is not installed');
  };
  const open = async (url: string): Promise<Page> => {
    const page = await (await browser.newContext({ viewport: { width: 1200, height: 700 } })).newPage();
    page.on('pageerror', (error) => expect.unreachable(error.message));
    await page.goto(url);
    await page.locator('#tree .row').first().waitFor();
    return page;
  };
  const rowOf = (page: Page, name: string) => page.locator(`[data-path="${name}"] > .row`);
  const SCRIPT = 'cd /work; sed -i "s/two/zwei/" src/main.js; rm old.txt; mkdir new; echo a >new/a; echo "<u>" >"page<b>.html"; echo x >/etc/made';

  test('shows a tree, differences beside each other, and applies what was chosen', async (context) => {
    needsChromium(context);
    const { url, ended } = await serve('web', SCRIPT);
    const page = await open(url);
    expect(await page.locator('#tally').textContent()).toMatch(/3 added, 2 modified, 1 deleted · \+/);
    expect(await page.locator('[data-path] > .row .name').allTextContents()).toEqual([
      'etc/',
      'made',
      'work/',
      'new/',
      'a',
      'src/',
      'main.js',
      'old.txt',
      'page<b>.html',
    ]);
    expect(await rowOf(page, '/work/old.txt').locator('.kind').textContent()).toBe('D');
    await rowOf(page, '/work/src/main.js').locator('.name').click();
    await page.locator('#difference table').waitFor();
    expect(await page.locator('#difference td.gone').allTextContents()).toEqual(['two']);
    expect(await page.locator('#difference td.come').allTextContents()).toEqual(['zwei']);
    expect(await page.locator('#facts').textContent()).toMatch(/^file, content changed: 0\d{3} /);
    await rowOf(page, '/work/page<b>.html').locator('.name').click();
    await page.locator('#difference td.come').waitFor();
    // What is in a file is text, and nothing of the page.
    expect(await page.locator('#difference td.come').textContent()).toBe('<u>');
    // What is the image's alone cannot be applied to the host.
    expect(await rowOf(page, '/etc/made').locator('input').isDisabled()).toBe(true);
    await page.locator('#filter').fill('main');
    expect(await page.locator('[data-path] > .row .name').allTextContents()).toEqual(['work/', 'src/', 'main.js']);
    await page.locator('#filter').fill('');
    await rowOf(page, '/work/src').locator('input').check();
    await rowOf(page, '/work/old.txt').locator('input').check();
    expect(await page.locator('#apply').textContent()).toBe('Apply 2 of 6');
    await page.locator('#apply').click();
    await page.locator('#message').waitFor();
    expect(await page.locator('#message').textContent()).toContain('Applied: 1 modified, 1 deleted');
    expect(readFileSync(`${project}/src/main.js`, 'utf8')).toBe('one\nzwei\nthree\nfour\n');
    expect(readdirSync(project).sort()).toEqual(['page<b>.html', 'src']);
    expect(readFileSync(`${project}/page<b>.html`, 'utf8')).toBe('<i>&</i>\n');
    await page.locator('#keep').click();
    expect(await ended).toMatch(/Applied: (?:.|\n)*Kept. Review them again: lamella changes --web web/);
  });

  test('tells of conflicts, and applies all the same when somebody says so', async (context) => {
    needsChromium(context);
    const { url, ended } = await serve('conflict', 'cd /work; echo mine >old.txt');
    writeFileSync(`${project}/old.txt`, 'of the host\n');
    const page = await open(url);
    await page.locator('#all').check();
    await page.locator('#apply').click();
    await page.locator('#message.failed').waitFor();
    expect(await page.locator('#message').textContent()).toContain('/work/old.txt');
    expect(readFileSync(`${project}/old.txt`, 'utf8')).toBe('of the host\n');
    await page.getByText("Use the container's version").click();
    await page.getByText('This page can be closed.').waitFor();
    expect(readFileSync(`${project}/old.txt`, 'utf8')).toBe('mine\n');
    expect(await ended).toContain('Applied: 1 modified');
    // All of it was applied: nothing is left to keep.
    expect(user.lamella(['inspect', 'conflict']).status).toBe(1);
  });

  test('throws all away, when asked twice', async (context) => {
    needsChromium(context);
    const { url, ended } = await serve('away', SCRIPT);
    const page = await open(url);
    await page.locator('#discard').click();
    expect(await page.locator('#discard').textContent()).toBe('Really discard 6?');
    expect(lamella('inspect', 'away')).toBeTruthy();
    await page.locator('#discard').click();
    expect(await ended).toContain('Discarded.');
    expect(user.lamella(['inspect', 'away']).status).toBe(1);
    expect(readFileSync(`${project}/old.txt`, 'utf8')).toBe('old\n');
  });

  test('is for who has the address, once, and for no page of others', async () => {
    const { url } = await serve('closed', SCRIPT);
    const { port, host } = new URL(url);
    const ask = (pathname: string, headers: Record<string, string> = {}, method = 'GET'): Promise<{ status: number; cookie: string; body: string }> =>
      new Promise((resolve, reject) => {
        const sent = request({ host: '127.0.0.1', port, path: pathname, method, headers: { host, ...headers } }, (response) => {
          void text(response).then((body) => resolve({ status: response.statusCode ?? 0, cookie: String(response.headers['set-cookie'] ?? ''), body }));
        });
        sent.once('error', reject).end(method === 'POST' ? '{}' : undefined);
      });
    expect((await ask('/')).status).toBe(403);
    expect((await ask('/changes')).status).toBe(403);
    expect((await ask('/?token=wrong')).status).toBe(403);
    const { search } = new URL(url);
    expect((await ask(`/${search}`, { host: `evil.example:${port}` })).status).toBe(403);
    const { status, cookie } = await ask(`/${search}`);
    expect([status, cookie]).toEqual([303, expect.stringMatching(/^lamella=[\w-]{32}; HttpOnly; SameSite=Strict; Path=\/$/)]);
    const [session = ''] = cookie.split(';');
    expect((await ask(`/${search}`)).status).toBe(403);
    expect((await ask('/changes', { cookie: session })).status).toBe(200);
    expect((await ask('/changes', { cookie: session, host: `evil.example:${port}` })).status).toBe(403);
    expect((await ask('/discard', { cookie: session, 'content-length': '2' }, 'POST')).status).toBe(403);
    expect((await ask('/discard', { cookie: session, 'content-length': '2', origin: 'http://evil.example' }, 'POST')).status).toBe(403);
    expect((await ask('/../../package.json', { cookie: session })).status).toBe(404);
    const bad = await ask('/apply', { cookie: session, 'content-length': '2', origin: `http://${host}` }, 'POST');
    expect([bad.status, JSON.parse(bad.body).error.message]).toEqual([409, 'no changes selected']);
    expect(existsSync(`${project}/old.txt`)).toBe(true);
  });

  test('what cannot be is told', () => {
    lamella('create', '--name', 'none', 'busybox', 'true');
    expect(lamella('changes', '--web', 'none')).toBe('No changes.');
    expect(user.lamella(['changes', '--web', 'none', '/etc']).stderr).toContain('--web cannot be used with patterns');
    expect(user.lamella(['changes', '--web', '--port', '70000', 'none']).stderr).toContain('70000');
  });
});

test('a picture of it is in the README', () => {
  const readme = readFileSync(path.join(import.meta.dirname, '../../../README.md'), 'utf8');
  const [, file = ''] = /!\[[^\]]*\]\((docs\/[^)]+\.png)\)/.exec(readme) ?? [];
  expect(
    readFileSync(path.join(import.meta.dirname, '../../..', file))
      .subarray(1, 4)
      .toString(),
  ).toBe('PNG');
});
