import { once } from 'node:events';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { basic, findProgram, type QuirkyNetwork, QuirkyRegistry, quirkyNetwork, type ScratchDirectory, scratch, skip } from '@lamella-test/scratch';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { parseReference } from '../../model/reference.js';
import type { RegistryOptions } from '../../model/registry-options.js';
import { StorePaths } from '../../store/store-paths.js';
import { pullFrom } from '../pull-from.js';
import { RegistryClient } from '../registry-client.js';

/** Proxies, certificates and addresses: how a registry is reached. */

const NAMES = [
  'HTTPS_PROXY',
  'HTTP_PROXY',
  'NO_PROXY',
  'https_proxy',
  'http_proxy',
  'no_proxy',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'REGISTRY_AUTH_FILE',
  'XDG_CONFIG_HOME',
];
const before = Object.fromEntries(NAMES.map((name) => [name, process.env[name]]));
const SOMEBODY = { username: 'somebody', password: 'secret' };
let at: ScratchDirectory;
let network: QuirkyNetwork | undefined;
let registry: QuirkyRegistry;

function set(environment: Record<string, string>): void {
  for (const name of NAMES) delete process.env[name];
  Object.assign(
    process.env,
    { REGISTRY_AUTH_FILE: at.join('none.json'), XDG_CONFIG_HOME: at.join('config'), SSL_CERT_DIR: at.join('no-certificates') },
    environment,
  );
}

beforeAll(async () => {
  at = scratch();
  if (!findProgram('openssl')) return;
  network = await quirkyNetwork(at.path);
  registry = new QuirkyRegistry('one.reg.example', { auth: 'basic' });
  for (const host of [registry.host, 'one.reg.example:5000']) network.hosts.set(host, registry);
});
afterEach(() => {
  if (!network) return;
  network.asked.length = 0;
  network.proxyAuthorization = undefined;
  registry.seen.length = 0;
});
afterAll(async () => {
  for (const name of NAMES) {
    if (before[name] === undefined) delete process.env[name];
    else process.env[name] = before[name];
  }
  await network?.[Symbol.asyncDispose]();
  await at[Symbol.asyncDispose]();
});

/** Logs in. @returns `ok`, or what is wrong */
async function login(host: string, options: RegistryOptions = {}): Promise<string> {
  await using client = new RegistryClient(host, '', { credentials: SOMEBODY, ...options });
  return await client.checkCredentials().then(
    () => 'ok',
    ({ code, message, hint }: { code: string; message: string; hint: string }) => `${code}: ${message}. ${hint}`,
  );
}

test('HTTPS_PROXY is asked for a tunnel, and sees nothing of what goes through', async (context) => {
  if (!network) return skip(context, 'openssl is not installed');
  set({ HTTPS_PROXY: network.proxy, SSL_CERT_FILE: network.certificate });
  expect(await login('one.reg.example')).toBe('ok');
  expect(await login('one.reg.example:5000')).toBe('ok');
  expect([...new Set(network.asked)]).toEqual(['CONNECT one.reg.example:443', 'CONNECT one.reg.example:5000']);
});

test('HTTP_PROXY is asked for what is in clear', async (context) => {
  if (!network) return skip(context, 'openssl is not installed');
  set({ http_proxy: network.proxy, HTTPS_PROXY: 'http://127.0.0.1:1' });
  expect(await login('one.reg.example', { tlsVerify: false })).toMatch(/^REGISTRY_PROXY: the proxy 127\.0\.0\.1:1 cannot be reached/);
  set({ http_proxy: network.proxy, HTTPS_PROXY: network.proxy });
  network.hosts.delete('one.reg.example');
  network.hosts.set('one.reg.example:80', registry);
  network.hosts.set('one.reg.example', registry);
  expect(await login('one.reg.example', { tlsVerify: false })).toBe('ok');
});

test('a proxy that wants credentials is given those of its URL, and nobody else is', async (context) => {
  if (!network) return skip(context, 'openssl is not installed');
  network.proxyAuthorization = basic('proxy user', 'p@ss:word');
  set({ HTTPS_PROXY: network.proxy, SSL_CERT_FILE: network.certificate });
  const refused = await login('one.reg.example');
  expect(refused).toMatch(/^REGISTRY_PROXY: the proxy 127\.0\.0\.1:\d+ answers 407\. It wants credentials/);
  set({ HTTPS_PROXY: network.proxy.replace('//', '//proxy%20user:wrong@'), SSL_CERT_FILE: network.certificate });
  expect(await login('one.reg.example')).toMatch(/^REGISTRY_PROXY: (?!.*wrong)/);
  set({ HTTPS_PROXY: network.proxy.replace('//', '//proxy%20user:p%40ss%3Aword@'), SSL_CERT_FILE: network.certificate });
  expect(await login('one.reg.example')).toBe('ok');
  expect(registry.seen.every(({ headers }) => headers['proxy-authorization'] === undefined)).toBe(true);
});

test('a proxy that cannot reach the registry says so', async (context) => {
  if (!network) return skip(context, 'openssl is not installed');
  set({ HTTPS_PROXY: network.proxy });
  expect(await login('unknown.reg.example')).toMatch(/^REGISTRY_PROXY: the proxy .* answers 502/);
});

test('whom the machine does not trust is not told anything', async (context) => {
  if (!network) return skip(context, 'openssl is not installed');
  const proxied = { HTTPS_PROXY: network.proxy };
  set(proxied);
  expect(await login('one.reg.example')).toMatch(/^REGISTRY_CERTIFICATE: one\.reg\.example cannot be trusted: .*certs\.d\/one\.reg\.example\/ca\.crt/);
  expect(registry.seen).toEqual([]);
  expect(await login('one.reg.example', { tlsVerify: false })).toBe('ok');
  set({ ...proxied, SSL_CERT_FILE: network.certificate });
  expect(await login('one.reg.example')).toBe('ok');
  mkdirSync(at.join('directory'));
  cpSync(network.certificate, at.join('directory/any-name'));
  set({ ...proxied, SSL_CERT_DIR: `${at.join('nothing')}:${at.join('directory')}` });
  expect(await login('one.reg.example')).toBe('ok');
  for (const [place, fits] of [
    ['containers/certs.d/one.reg.example', true],
    ['docker/certs.d/one.reg.example', true],
    ['containers/certs.d/one.reg.example:5000', false],
  ] as const) {
    const config = at.join(`config-${place.replaceAll(/\W/g, '-')}`);
    mkdirSync(`${config}/${place}`, { recursive: true });
    cpSync(network.certificate, `${config}/${place}/ca.crt`);
    set({ ...proxied, XDG_CONFIG_HOME: config });
    expect([place, await login('one.reg.example')]).toEqual([place, fits ? 'ok' : expect.stringMatching(/^REGISTRY_CERTIFICATE/)]);
    expect([place, await login('one.reg.example:5000')]).toEqual([place, fits ? expect.stringMatching(/^REGISTRY_CERTIFICATE/) : 'ok']);
  }
});

test.for([
  ['x.cert', 'PEM', /the key of .*x\.cert is missing.*ends in \.crt/],
  ['x.crt', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n', /x\.crt is no certificate/],
] as const)('a file %s that is not what its name says is named', async ([name, content, message], context) => {
  if (!network) return skip(context, 'openssl is not installed');
  const directory = at.join(`config-${name}/containers/certs.d/one.reg.example`);
  mkdirSync(directory, { recursive: true });
  writeFileSync(`${directory}/${name}`, content);
  set({ HTTPS_PROXY: network.proxy, XDG_CONFIG_HOME: at.join(`config-${name}`) });
  expect(await login('one.reg.example')).toMatch(new RegExp(`^REGISTRY_CERTIFICATE: .*${message.source}`));
});

/** A server on this machine, with the network's certificate or in clear. */
async function local(host: string, secure: boolean, mutual = false): Promise<{ server: Server; port: number; seen: QuirkyRegistry; clients: unknown[] }> {
  const seen = new QuirkyRegistry('local', { auth: 'basic' });
  const clients: unknown[] = [];
  const pem = readFileSync((network as QuirkyNetwork).certificate);
  const key = readFileSync(at.join('key.pem'));
  const server = secure
    ? (createSecureServer({ cert: pem, key, ...(mutual ? { requestCert: true, rejectUnauthorized: false, ca: pem } : {}) }) as unknown as Server)
    : createServer();
  server.on('request', (request, response) => {
    clients.push((request.socket as { authorized?: unknown }).authorized);
    void seen.handle(request, response, `http://${request.headers.host}`);
  });
  server.listen(0, host);
  await once(server, 'listening');
  return { server, port: (server.address() as AddressInfo).port, seen, clients };
}

async function end({ server }: { server: Server }): Promise<void> {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
}

test.for([
  ['127.0.0.1', '127.0.0.1'],
  ['::1', '[::1]'],
  ['127.0.0.1', 'LocalHost'],
])('a registry at %s is reached as %s, in clear and by TLS, past all proxies', async ([address, name], context) => {
  if (!network) return skip(context, 'openssl is not installed');
  set({ HTTPS_PROXY: 'http://127.0.0.1:1', HTTP_PROXY: 'http://127.0.0.1:1', SSL_CERT_FILE: network.certificate });
  for (const secure of [false, true]) {
    const there = await local(address as string, secure).catch((error: NodeJS.ErrnoException) => error);
    if (there instanceof Error) return skip(context, `this machine has no ${address}`);
    try {
      expect(await login(`${name}:${there.port}`)).toBe('ok');
      expect(parseReference(`${name}:${there.port}/app:tag`)).toMatchObject({ domain: `${name}:${there.port}`, path: 'app' });
    } finally {
      await end(there);
    }
  }
});

test('a client certificate is for its registry alone', async (context) => {
  if (!network) return skip(context, 'openssl is not installed');
  const [there, elsewhere] = [await local('127.0.0.1', true, true), await local('127.0.0.1', true, true)];
  try {
    const directory = at.join(`config-mutual/containers/certs.d/localhost:${there.port}`);
    mkdirSync(directory, { recursive: true });
    for (const [from, to] of [
      ['certificate.pem', 'ca.crt'],
      ['certificate.pem', 'client.cert'],
      ['key.pem', 'client.key'],
    ] as const)
      cpSync(at.join(from), `${directory}/${to}`);
    set({ XDG_CONFIG_HOME: at.join('config-mutual') });
    expect(await login(`localhost:${there.port}`)).toBe('ok');
    expect(there.clients).not.toContain(false);
    (there.seen as { quirk: object }).quirk = {
      answer: (answer: object) => void Object.assign(answer, { status: 307, headers: { location: `https://localhost:${elsewhere.port}/v2/` } }),
    };
    // What the registry's authority has signed is trusted wherever it leads.
    expect(await login(`localhost:${there.port}`)).toMatch(/^REGISTRY_FAILED: .* answers 401/);
    expect([...new Set(elsewhere.clients)]).toEqual([false]);
    expect([...new Set(elsewhere.seen.seen.map(({ headers }) => headers.authorization))]).toEqual([undefined]);
  } finally {
    await Promise.all([there, elsewhere].map(end));
  }
});

test('what does not speak TLS is told from what is not there', async (context) => {
  if (!network) return skip(context, 'openssl is not installed');
  const secrets: string[] = [];
  const plain = createServer((request, response) => {
    secrets.push(...Object.keys(request.headers));
    response.end();
  });
  plain.on('connect', (_, socket) => {
    socket.write('HTTP/1.1 200 OK\r\n\r\n');
    socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
  });
  plain.listen(0, '127.0.0.1');
  await once(plain, 'listening');
  set({ HTTPS_PROXY: `http://127.0.0.1:${(plain.address() as AddressInfo).port}` });
  expect(await login('one.reg.example')).toMatch(/^REGISTRY_UNREACHABLE: one\.reg\.example answers, but not in TLS .*--tls-verify=false/);
  expect(secrets).not.toContain('authorization');
  await end({ server: plain });
});

test('credentials that were given are for the registry of the name, and for none of its mirrors', async (context) => {
  if (!network) return skip(context, 'openssl is not installed');
  set({ HTTPS_PROXY: network.proxy, SSL_CERT_FILE: network.certificate });
  const mirror = new QuirkyRegistry('mirror.reg.example', { auth: 'basic' });
  network.hosts.set(mirror.host, mirror);
  const endpoints = [mirror.host, registry.host].map((domain) => ({ domain, repository: 'app', tlsVerify: true }));
  const pulled = pullFrom(new StorePaths(at.join('store')), endpoints, parseReference('one.reg.example/app'), { credentials: SOMEBODY });
  await expect(pulled).rejects.toMatchObject({ code: 'REGISTRY_NOT_FOUND' });
  expect(mirror.seen.map(({ headers }) => headers.authorization)).toEqual([undefined]);
  expect(registry.seen.at(-1)?.headers.authorization).toBe(basic('somebody', 'secret'));
});

test.for(['a..b', '1.2.3.4.5', '999.999.999.999', 'host/path', 'host?x', 'user@host', 'http://host', 'host:99999', ''])("'%s' is no address", (domain) => {
  expect(() => new RegistryClient(domain, 'app')).toThrow(expect.objectContaining({ code: 'REFERENCE_INVALID' }));
});
