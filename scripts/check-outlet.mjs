#!/usr/bin/env node
/**
 * Requests leave @lamella/image by packages/image/src/registry/network/outlet.ts only: it decides for each place whether it may be
 * asked, and whether credentials are sent there (SECURITY.md, "Credentials of registries"). No other module may have an HTTP
 * client, and none may put a header together that has credentials.
 */
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';

const root = path.join(import.meta.dirname, '..');
const OUTLET = 'packages/image/src/registry/network/outlet.ts';
const CLIENTS = /from '(?:undici|node:https?2?|node:tls|node:net)'|import\('(?:undici|node:https?2?)'\)|\bfetch\(\s*[`'"\w]/;
/** They make no requests: certificates are read, and addresses compared. */
const NO_REQUESTS = ['addresses.ts', 'certificates.ts', 'proxy.ts', 'trusted-roots.ts'].map((name) => `packages/image/src/registry/network/${name}`);
const problems = [];

for (const file of globSync('packages/{image,engine}/src/**/*.ts', { cwd: root })) {
  if (file.endsWith('.test.ts') || file === OUTLET) continue;
  const text = readFileSync(path.join(root, file), 'utf8');
  if (CLIENTS.test(text) && !NO_REQUESTS.includes(file) && file.startsWith('packages/image/')) problems.push(`${file} has a client of its own`);
  if (/['"`]?authorization['"`]?\s*[:\]]/i.test(text)) problems.push(`${file} puts credentials into a header: make a Secret of them`);
}

for (const problem of problems) console.error(`${problem} (${OUTLET} is the one way out)`);
if (problems.length) process.exit(1);
