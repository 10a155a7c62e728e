import { spawnSync } from 'node:child_process';
import { createReadStream, existsSync, globSync, readFileSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { findProgram, skip } from '@lamella-test/scratch';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, type TestContext, test } from 'vitest';
import { checkout } from './packed.js';

const CHROMIUM = findProgram('chromium') ?? findProgram('google-chrome');
const SITE = path.join(checkout, 'docs/.vitepress/dist');
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.woff2': 'font/woff2',
};

/** The file of the built site at a path of a URL, as a server of static files finds it. */
function fileAt(pathname: string): string | undefined {
  const place = path.join(SITE, decodeURIComponent(pathname));
  return [place, `${place}.html`, path.join(place, 'index.html')].find((file) => existsSync(file) && statSync(file).isFile());
}

beforeAll(() => {
  const { status, stdout, stderr } = spawnSync('pnpm', ['--silent', '--filter', '@lamella-docs/site', 'build-site'], { cwd: checkout, encoding: 'utf8' });
  expect(status, `${stdout}\n${stderr}`).toBe(0);
}, 240_000);

test('every link of the site leads to a page, and to a heading there', () => {
  const files = globSync('**/*.html', { cwd: SITE });
  expect(files.length).toBeGreaterThan(50);
  const ids = new Map<string, Set<string>>();
  const idsOf = (file: string): Set<string> => {
    const known = ids.get(file) ?? new Set([...readFileSync(file, 'utf8').matchAll(/\sid="([^"]+)"/g)].map(([, id = '']) => id));
    ids.set(file, known);
    return known;
  };
  const broken: string[] = [];
  for (const page of files)
    for (const [, href = ''] of readFileSync(path.join(SITE, page), 'utf8').matchAll(/<a [^>]*?href="([^"]+)"/g)) {
      if (/^[a-z]+:/.test(href)) continue;
      const { pathname, hash } = new URL(href.replaceAll('&amp;', '&'), `http://site/${page}`);
      const file = fileAt(pathname);
      const id = decodeURIComponent(hash.slice(1));
      if (!file || (id && file.endsWith('.html') && !idsOf(file).has(id))) broken.push(`${page}: ${href}`);
    }
  expect(broken).toEqual([]);
});

describe('in a browser', () => {
  let browser: Browser;
  let server: Server;
  let address: string;

  beforeAll(async () => {
    server = createServer(({ url = '/' }, response) => {
      const file = fileAt(new URL(url, 'http://site').pathname);
      if (!file) return void response.writeHead(404).end();
      response.writeHead(200, { 'content-type': TYPES[path.extname(file)] ?? 'application/octet-stream' });
      createReadStream(file).pipe(response);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    if (CHROMIUM) browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu'] });
  });
  afterAll(async () => {
    await browser?.close();
    server.close();
  });

  const needsChromium = (context: TestContext): void => {
    if (!CHROMIUM) skip(context, 'chromium is not installed');
  };
  /** Opens a page, and collects what the browser reports as an error. */
  const open = async (at: string, scheme: 'light' | 'dark', width: number, errors: string[]): Promise<Page> => {
    const page = await (await browser.newContext({ colorScheme: scheme, viewport: { width, height: 900 } })).newPage();
    page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
    page.on('pageerror', (error) => errors.push(error.message));
    await page.goto(`${address}${at}`, { waitUntil: 'networkidle' });
    return page;
  };
  test.for([
    ['light', 1400],
    ['dark', 1400],
    ['light', 400],
    ['dark', 400],
  ] as const)('pages show without errors: %s, %i pixels wide', { timeout: 120_000 }, async ([scheme, width], context) => {
    needsChromium(context);
    for (const at of ['/', '/docs/', '/docs/guides/try-a-command', '/docs/reference/cli/run', '/docs/reference/errors', '/docs/reference/sdk/engine']) {
      const errors: string[] = [];
      const page = await open(at, scheme, width, errors);
      expect(await page.locator('h1').first().textContent(), at).toBeTruthy();
      expect(await page.evaluate("document.documentElement.classList.contains('dark')"), at).toBe(scheme === 'dark');
      // Only tables and blocks of code scroll sideways, not the page.
      expect(await page.evaluate<number>('document.documentElement.scrollWidth'), at).toBeLessThanOrEqual(width);
      expect(errors, at).toEqual([]);
      const pictures = process.env.LAMELLA_SCREENSHOTS;
      if (pictures) await page.screenshot({ path: path.join(pictures, `${at.replaceAll('/', '_')}-${scheme}-${width}.png`) });
      await page.context().close();
    }
  });

  test('search finds a command', { timeout: 60_000 }, async (context) => {
    needsChromium(context);
    const errors: string[] = [];
    const page = await open('/', 'light', 1400, errors);
    await page.keyboard.press('Control+k');
    await page.locator('.VPLocalSearchBox input').fill('lamella checkpoint');
    await page.locator('.VPLocalSearchBox .result').first().waitFor();
    await page.locator('.VPLocalSearchBox .result[href*="reference/cli/checkpoint"]').first().click();
    await page.waitForURL('**/docs/reference/cli/checkpoint*');
    await page.locator('h1', { hasText: 'lamella checkpoint' }).waitFor();
    expect(errors).toEqual([]);
  });
});
