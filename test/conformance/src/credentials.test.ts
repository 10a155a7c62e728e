import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { ImageStore } from '@lamella/image';
import { findProgram, QuirkyRegistry, type ScratchDirectory, scratch, skip } from '@lamella-test/scratch';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';

/** Which credentials are sent, by skopeo and by us, for the same files and variables. */

const CLI = path.join(path.dirname(createRequire(import.meta.url).resolve('lamella/package.json')), 'bin/lamella');
const skopeo = findProgram('skopeo');
let at: ScratchDirectory;
let registry: QuirkyRegistry;
let host = '';
const server = createServer((request, response) => void registry.handle(request, response, `http://${host}`));

beforeAll(async () => {
  at = scratch();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await at[Symbol.asyncDispose]();
});
beforeEach(() => {
  registry = new QuirkyRegistry(host, { auth: 'basic' });
});

/** Returns the credentials that a program sends. The program fails in any case: these users and the image do not exist. */
async function asked(program: string, args: readonly string[], env: Record<string, string>): Promise<{ who: string | undefined; stderr: string }> {
  registry.seen.length = 0;
  const child = execFile(program, args, { env: { PATH: `${at.join('bin')}:${process.env.PATH}`, ...env } });
  let stderr = '';
  child.stderr?.on('data', (text: string) => {
    stderr += text;
  });
  await once(child, 'close');
  return { who: sent(), stderr };
}

/** The credentials of a request. Without any, skopeo sends an empty name. */
function sent(): string | undefined {
  const header = registry.seen.map(({ headers }) => headers.authorization).find((each) => each !== undefined);
  const who = header && Buffer.from(header.replace('Basic ', ''), 'base64').toString();
  return who === ':' ? undefined : who;
}

/** The same by the library, in an environment. */
async function pulled(env: Record<string, string>): Promise<string | undefined> {
  registry.seen.length = 0;
  const before = { ...process.env };
  try {
    for (const name of ['REGISTRY_AUTH_FILE', 'DOCKER_CONFIG', 'XDG_CONFIG_HOME']) delete process.env[name];
    Object.assign(process.env, { PATH: `${at.join('bin')}:${process.env.PATH}` }, env);
    const store = new ImageStore(path.join(env.HOME ?? '', 'store'));
    await expect(store.pull(`${host}/team/app`)).rejects.toMatchObject({ code: 'REGISTRY_UNAUTHORIZED' });
    return sent();
  } finally {
    for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name];
    Object.assign(process.env, before);
  }
}

const auth = (name: string): object => ({ auth: Buffer.from(`${name}:secret`).toString('base64') });
let homes = 0;

const CASES: readonly (readonly [name: string, files: (host: string) => Record<string, unknown>, variables?: Record<string, string>])[] = [
  ['nothing', () => ({})],
  ["Docker's file", (key) => ({ '.docker/config.json': { auths: { [key]: auth('docker') } } })],
  [
    "podman's file of the session before Docker's",
    (key) => ({ 'run/containers/auth.json': { auths: { [key]: auth('podman') } }, '.docker/config.json': { auths: { [key]: auth('docker') } } }),
  ],
  [
    "podman's file of the user before Docker's",
    (key) => ({ '.config/containers/auth.json': { auths: { [key]: auth('user') } }, '.docker/config.json': { auths: { [key]: auth('docker') } } }),
  ],
  [
    "Docker's where podman's has others",
    (key) => ({ 'run/containers/auth.json': { auths: { 'other.io': auth('podman') } }, '.docker/config.json': { auths: { [key]: auth('docker') } } }),
  ],
  ["Docker's first file", (key) => ({ '.dockercfg': { [key]: auth('first') } })],
  [
    'REGISTRY_AUTH_FILE',
    (key) => ({ 'mine.json': { auths: { [key]: auth('mine') } }, 'run/containers/auth.json': { auths: { [key]: auth('podman') } } }),
    { REGISTRY_AUTH_FILE: 'mine.json' },
  ],
  [
    'REGISTRY_AUTH_FILE without the registry',
    (key) => ({ 'mine.json': {}, 'run/containers/auth.json': { auths: { [key]: auth('podman') } } }),
    { REGISTRY_AUTH_FILE: 'mine.json' },
  ],
  [
    'DOCKER_CONFIG',
    (key) => ({ 'dir/config.json': { auths: { [key]: auth('dir') } }, '.docker/config.json': { auths: { [key]: auth('docker') } } }),
    { DOCKER_CONFIG: 'dir' },
  ],
  ['a key with a scheme and a version', (key) => ({ '.docker/config.json': { auths: { [`https://${key}/v1/`]: auth('url') } } })],
  ['a key with http', (key) => ({ '.docker/config.json': { auths: { [`http://${key}/v2/`]: auth('url') } } })],
  [
    'the key of a repository',
    (key) => ({
      'run/containers/auth.json': {
        auths: { [key]: auth('all'), [`${key}/team`]: auth('team'), [`${key}/team/app`]: auth('app'), [`${key}/team/ap`]: auth('ap') },
      },
    }),
  ],
  ['the key of a namespace', (key) => ({ 'run/containers/auth.json': { auths: { [`${key}/team`]: auth('team'), [`${key}/tea`]: auth('tea') } } })],
  ['an empty entry', (key) => ({ 'run/containers/auth.json': { auths: { [key]: {} } }, '.docker/config.json': { auths: { [key]: auth('docker') } } })],
  ['a null entry', (key) => ({ 'run/containers/auth.json': { auths: { [key]: null } } })],
  ['a helper of the registry', (key) => ({ 'run/containers/auth.json': { credHelpers: { [key]: 'test' } } })],
];

test.for(CASES)('of %s the same are sent as by skopeo', async ([, files, variables = {}], context) => {
  if (!skopeo) return skip(context, 'skopeo is not installed');
  const home = at.join(`home-${homes++}`);
  for (const [name, content] of Object.entries(files(host))) {
    mkdirSync(path.dirname(path.join(home, name)), { recursive: true });
    writeFileSync(path.join(home, name), JSON.stringify(content));
  }
  mkdirSync(at.join('bin'), { recursive: true });
  writeFileSync(at.join('bin/docker-credential-test'), '#!/bin/sh\ncat > /dev/null; echo \'{"Username":"helper","Secret":"secret"}\'\n');
  chmodSync(at.join('bin/docker-credential-test'), 0o755);
  const env = {
    HOME: home,
    XDG_RUNTIME_DIR: path.join(home, 'run'),
    ...Object.fromEntries(Object.entries(variables).map(([name, value]) => [name, path.join(home, value)])),
  };
  const theirs = await asked(skopeo, ['inspect', '--tls-verify=false', `docker://${host}/team/app`], env);
  expect(await pulled(env)).toBe(theirs.who);
});

test('a helper that is not installed is one note, and images for everybody are pulled', async () => {
  registry = new QuirkyRegistry(host, { auth: 'bearer' });
  const home = at.join('home-desktop');
  mkdirSync(path.join(home, '.docker'), { recursive: true });
  writeFileSync(path.join(home, '.docker/config.json'), JSON.stringify({ credsStore: 'desktop', auths: { [host]: {} } }));
  const env = { HOME: home, LAMELLA_ROOT: path.join(home, 'store'), LAMELLA_NODE: process.execPath };
  for (const quirk of [undefined, 'public']) {
    if (quirk) registry = new QuirkyRegistry(host, { auth: 'none' });
    const { stderr } = await asked(CLI, ['pull', `${host}/team/app`], env);
    expect(stderr.split('\n').filter((line) => line.startsWith('lamella: note:')).length).toBe(quirk ? 0 : 1);
    if (!quirk) expect(stderr).toMatch(/note: docker-credential-desktop gives no credentials: it is not installed/);
  }
});
