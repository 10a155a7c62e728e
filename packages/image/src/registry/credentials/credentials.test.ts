import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, readlinkSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type ScratchDirectory, scratch } from '@lamella-test/scratch';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { askHelper } from './credential-helper.js';
import { findCredentials } from './credentials.js';
import { forgetCredentials, parseLoginPlace, storeCredentials } from './stored-credentials.js';

let at: ScratchDirectory;
const NAMES = ['REGISTRY_AUTH_FILE', 'DOCKER_CONFIG', 'XDG_RUNTIME_DIR', 'XDG_CONFIG_HOME', 'HOME', 'PATH'] as const;
const before = Object.fromEntries(NAMES.map((name) => [name, process.env[name]]));

beforeEach(() => {
  at = scratch();
  for (const name of NAMES) if (name !== 'PATH') delete process.env[name];
  Object.assign(process.env, { HOME: at.join('home'), XDG_RUNTIME_DIR: at.join('run'), PATH: `${at.join('bin')}:${before.PATH}` });
});
afterEach(async () => {
  for (const name of NAMES) {
    if (before[name] === undefined) delete process.env[name];
    else process.env[name] = before[name];
  }
  await at[Symbol.asyncDispose]();
});

const auth = (name: string, password = 'secret'): string => Buffer.from(`${name}:${password}`).toString('base64');

function write(file: string, content: unknown): string {
  const place = at.join(file);
  mkdirSync(path.dirname(place), { recursive: true });
  writeFileSync(place, typeof content === 'string' || Buffer.isBuffer(content) ? content : JSON.stringify(content));
  return place;
}

function helper(name: string, script: string): void {
  write(`bin/docker-credential-${name}`, `#!/bin/sh\n${script}\n`);
  chmodSync(at.join(`bin/docker-credential-${name}`), 0o755);
}

/** The credentials that were found, as one word, and the warnings. */
async function who(domain = 'r.io', repository = 'team/app'): Promise<[string | undefined, ...string[]]> {
  const warnings: string[] = [];
  const found = await findCredentials(domain, repository, (warning) => warnings.push(warning));
  return [found && Object.values(found).join(':'), ...warnings];
}

describe('an entry', () => {
  const HUB = [
    'docker.io',
    'index.docker.io',
    'registry-1.docker.io',
    'https://index.docker.io/v1/',
    'https://index.docker.io/v1',
    'https://registry-1.docker.io/v2/',
  ];
  test.for<[key: string, domain: string, repository: string, found: boolean]>([
    ...HUB.map((key): [string, string, string, boolean] => [key, 'docker.io', 'library/app', true]),
    ['r.io', 'r.io', 'team/app', true],
    ['R.IO', 'r.io', 'team/app', true],
    ['r.io/', 'r.io', 'team/app', true],
    ['https://r.io', 'r.io', 'team/app', true],
    ['http://r.io/v2/', 'r.io', 'team/app', true],
    ['https://r.io/v1/', 'r.io', 'team/app', true],
    ['HTTPS://r.io/some/where', 'r.io', 'team/app', true],
    ['r.io/v1/', 'r.io', 'team/app', true],
    ['r.io/team', 'r.io', 'team/app', true],
    ['r.io/team/app', 'r.io', 'team/app', true],
    ['docker.io/team', 'docker.io', 'team/app', true],
    ['r.io/tea', 'r.io', 'team/app', false],
    ['r.io/team/app/x', 'r.io', 'team/app', false],
    ['r.io:443', 'r.io', 'team/app', false],
    ['r.io:5000', 'r.io:5000', 'team/app', true],
    ['r.io', 'r.io:5000', 'team/app', false],
    ['http://r.io:5000/v2/', 'r.io:5000', 'team/app', true],
    ['[::1]:5000', '[::1]:5000', 'team/app', true],
    ['xr.io', 'r.io', 'team/app', false],
    ['', 'r.io', 'team/app', false],
  ])('of %s is for %s/%s: %s', async ([key, domain, repository, found]) => {
    write('home/.docker/config.json', { auths: { [key]: { auth: auth('me') } } });
    expect(await who(domain, repository)).toEqual([found ? 'me:secret' : undefined]);
  });

  test.for<[name: string, entry: unknown, who: string | undefined, warned?: boolean]>([
    ['with auth', { auth: auth('me') }, 'me:secret'],
    ['with a colon in the password', { auth: auth('me', 'a:b:') }, 'me:a:b:'],
    ['with zeros behind the password', { auth: auth('me', 'x\0\0') }, 'me:x'],
    ['with a name and a password', { username: 'me', password: 'p' }, 'me:p'],
    ['with auth and other names', { auth: auth('me'), username: 'you', password: 'p' }, 'me:secret'],
    ['with an empty auth and a name', { auth: '', username: 'me', password: 'p' }, 'me:p'],
    ['with an identity token', { auth: auth('me', ''), identitytoken: 'token' }, 'token'],
    ['with a token of the registry', { registrytoken: 'token', auth: auth('me') }, 'token'],
    ['that is null', null, undefined],
    ['that is empty', {}, undefined],
    ['whose parts are null', { auth: null, username: null, password: null, identitytoken: null, registrytoken: null }, undefined],
    ['whose parts are of other kinds', { auth: 7, username: [], password: {} }, undefined],
    ['that is text', 'me:secret', undefined, true],
    ['whose auth is not base64', { auth: 'me:secret' }, undefined, true],
    ['whose auth has no colon', { auth: Buffer.from('me').toString('base64') }, undefined, true],
    ['whose auth has no name', { auth: Buffer.from(':x').toString('base64') }, undefined, true],
  ])('%s', async ([, entry, found, warned]) => {
    write('home/.docker/config.json', { auths: { 'r.io': entry } });
    expect(await who()).toEqual([found, ...(warned ? [expect.stringMatching(/config\.json: the entry of r\.io/)] : [])]);
  });

  test('of the longest key counts, then the next that has something', async () => {
    const auths = {
      'r.io': { auth: auth('all') },
      'https://r.io/v2/': {},
      'r.io/team': { auth: auth('team') },
      'r.io/team/app': {},
      'r.io/team/app/x': { auth: auth('x') },
    };
    write('home/.docker/config.json', { auths });
    expect(await who('r.io', 'team/app')).toEqual(['team:secret']);
    expect(await who('r.io', 'team/app/x/y')).toEqual(['x:secret']);
    expect(await who('r.io', 'other')).toEqual(['all:secret']);
    expect(await who('r.io', '')).toEqual(['all:secret']);
  });
});

describe('files', () => {
  const file = (name: string): unknown => ({ auths: { 'r.io': { auth: auth(name) } } });

  test('are looked into in order', async () => {
    expect(await who()).toEqual([undefined]);
    write('home/.dockercfg', (file('dockercfg') as { auths: object }).auths);
    expect(await who()).toEqual(['dockercfg:secret']);
    write('home/.docker/config.json', file('docker'));
    expect(await who()).toEqual(['docker:secret']);
    write('home/.config/containers/auth.json', file('config'));
    expect(await who()).toEqual(['config:secret']);
    write('run/containers/auth.json', file('run'));
    expect(await who()).toEqual(['run:secret']);
    write('xdg/containers/auth.json', file('xdg'));
    process.env.XDG_CONFIG_HOME = at.join('xdg');
    write('run/containers/auth.json', {});
    expect(await who()).toEqual(['xdg:secret']);
    write('elsewhere/config.json', file('elsewhere'));
    process.env.DOCKER_CONFIG = at.join('elsewhere');
    expect(await who()).toEqual(['elsewhere:secret']);
    process.env.REGISTRY_AUTH_FILE = write('mine.json', file('mine'));
    expect(await who()).toEqual(['mine:secret']);
    write('mine.json', {});
    expect(await who()).toEqual([undefined]);
    process.env.REGISTRY_AUTH_FILE = at.join('not there');
    expect(await who()).toEqual([undefined]);
  });

  test.for<[name: string, content: unknown, warning?: RegExp]>([
    ['nothing', ''],
    ['white space', ' \n'],
    ['null', 'null'],
    ['nulls', { auths: null, credHelpers: null, credsStore: null, proxies: null }],
    ['empty strings', { auths: {}, credHelpers: { 'r.io': '' }, credsStore: '' }],
    ['half of it', '{"auths":{', /is not JSON/],
    ['text', 'hello', /is not JSON/],
    ['a list', '[]', /is not a table/],
    ['a number', '7', /is not a table/],
    ['auths that are a list', { auths: [] }, /auths is not a table/],
    ['credHelpers that are text', { credHelpers: 'x' }, /credHelpers is not a table/],
    ['bytes', Buffer.from([0xff, 0xfe, 0, 1]), /is not JSON/],
  ])('with %s are a warning at most', async ([, content, warning]) => {
    write('run/containers/auth.json', content);
    write('home/.docker/config.json', file('next'));
    expect(await who()).toEqual(['next:secret', ...(warning ? [expect.stringMatching(warning)] : [])]);
  });

  test('with a byte order mark are read', async () => {
    write('home/.docker/config.json', `\uFEFF${JSON.stringify(file('me'))}`);
    expect(await who()).toEqual(['me:secret']);
  });

  test('that are something else than a file are a warning', async () => {
    mkdirSync(at.join('home/.docker/config.json'), { recursive: true });
    expect(await who()).toEqual([undefined, expect.stringMatching(/config\.json/)]);
    execFileSync('mkfifo', [write('x', '').replace(/x$/, 'fifo')]);
    process.env.REGISTRY_AUTH_FILE = at.join('fifo');
    expect(await who()).toEqual([undefined, expect.stringMatching(/FIFO/)]);
  });

  test('any JSON is a warning at most', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(fc.jsonValue(), fc.record({ auths: fc.dictionary(fc.constantFrom('r.io', 'https://r.io/v1/', 'r.io/team'), fc.jsonValue()) })),
        async (json) => {
          write('home/.docker/config.json', JSON.stringify(json));
          expect((await who())[0] ?? '').toBeTypeOf('string');
        },
      ),
      { numRuns: 50 },
    );
  });
});

describe('helpers', () => {
  const config = (more: object): string => write('home/.docker/config.json', { auths: { 'r.io': { auth: auth('file') } }, ...more });

  test('are asked by what Docker calls the registry', async () => {
    helper('one', 'read host; echo "{\\"ServerURL\\":\\"$host\\",\\"Username\\":\\"one\\",\\"Secret\\":\\"$host\\"}"');
    config({ credsStore: 'one' });
    expect(await who()).toEqual(['one:r.io']);
    expect(await who('docker.io')).toEqual(['one:https://index.docker.io/v1/']);
    config({ credHelpers: { 'r.io': 'one' }, credsStore: 'other' });
    expect(await who()).toEqual(['one:r.io']);
    config({ credHelpers: { 'r.io/team': 'one' } });
    expect(await who()).toEqual(['file:secret']);
    config({ credHelpers: { 'https://index.docker.io/v1/': 'one' } });
    expect(await who('docker.io')).toEqual(['one:https://index.docker.io/v1/']);
    expect(await who()).toEqual(['file:secret']);
  });

  test.for<[name: string, script: string, warned?: RegExp]>([
    ['has a token', 'echo "{\\"Username\\":\\"<token>\\",\\"Secret\\":\\"token\\"}"'],
    ['has none', 'echo "credentials not found in native keychain"; exit 1'],
    ['has an empty secret', 'echo "{\\"Username\\":\\"\\",\\"Secret\\":\\"\\"}"'],
    ['fails', 'echo "it is locked" >&2; exit 1', /it is locked/],
    ['says nothing', 'exit 0', /not the JSON/],
    ['says garbage', 'echo "<html>"', /not the JSON/],
    ['says null', 'echo null', /not the JSON/],
    ['is killed', 'kill -9 $$', /SIGKILL/],
    ['does not read', 'exec <&-; exit 3', /ended with 3/],
    ['says too much', 'head -c 3000000 /dev/zero', /not the JSON/],
    ['leaves a process behind', 'sleep 5 & echo "{\\"Username\\":\\"<token>\\",\\"Secret\\":\\"token\\"}"'],
  ])('one that %s', async ([, script, warned]) => {
    helper('one', script);
    config({ credsStore: 'one' });
    expect(await who()).toEqual([script.includes('token') ? 'token' : 'file:secret', ...(warned ? [expect.stringMatching(warned)] : [])]);
  });

  test('one that is not installed, or is no name, is a warning', async () => {
    config({ credsStore: 'desktop' });
    expect(await who()).toEqual([
      'file:secret',
      expect.stringMatching(/docker-credential-desktop gives no credentials: it is not installed \(.*config\.json\)/),
    ]);
    config({ credsStore: '../../bin/sh' });
    expect(await who()).toEqual(['file:secret', expect.stringMatching(/no name of a helper/)]);
    config({ credsStore: 7 });
    expect(await who()).toEqual(['file:secret']);
  });

  test('one that hangs is given up', async () => {
    helper('one', 'exec sleep 600');
    await expect(askHelper('one', 'r.io', 50)).rejects.toMatchObject({ code: 'CREDENTIAL_HELPER_FAILED', message: expect.stringContaining('did not answer') });
  });
});

describe('login and logout', () => {
  const ME = { username: 'me', password: 'pä:ß' };

  test('what they do not know stays as it is', async () => {
    const file = write(
      'home/.docker/config.json',
      '\uFEFF{\n    "z": 12345678901234567890,\n    "f": 1.0,\n    "auths": {"other.io": {"auth": "x", "unknown": [1e400]}, "r.io": {"auth": "old", "email": "a@b", "identitytoken": "old"}, "n": null},\n    "__proto__": {"a": 1},\n    "plugins": {"-x": {"enabled": "true"}}\n}',
    );
    expect(await storeCredentials('r.io', ME)).toBe(file);
    const text = readFileSync(file, 'utf8');
    for (const kept of ['12345678901234567890', '1.0', '1e400', '"__proto__"', '"email": "a@b"', '"plugins"', '"n": null', '\n    "z"'])
      expect(text).toContain(kept);
    expect(text).not.toContain('old');
    expect(await who()).toEqual(['me:pä:ß']);
    expect(await forgetCredentials('r.io')).toEqual([file]);
    const gone = readFileSync(file, 'utf8');
    expect(gone).not.toContain('"r.io"');
    for (const kept of ['12345678901234567890', '"__proto__"', '1e400', '"other.io"']) expect(gone).toContain(kept);
    await expect(forgetCredentials('r.io')).rejects.toMatchObject({ code: 'NOT_LOGGED_IN' });
  });

  test('the file is made, is ours alone, and a link stays a link', async () => {
    await storeCredentials('r.io', ME);
    const file = at.join('home/.docker/config.json');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const real = write('dotfiles/docker.json', '{"a":1}');
    chmodSync(real, 0o644);
    symlinkSync(real, at.join('link.json'));
    process.env.REGISTRY_AUTH_FILE = at.join('link.json');
    await storeCredentials('r.io', ME);
    expect(readlinkSync(at.join('link.json'))).toBe(real);
    expect(statSync(real).mode & 0o777).toBe(0o600);
    expect(JSON.parse(readFileSync(real, 'utf8'))).toEqual({ a: 1, auths: { 'r.io': { auth: Buffer.from('me:pä:ß').toString('base64') } } });
  });

  test.for(['{"auths":', '[]', '{"auths":7}', 'hello'])('%s is not written over', async (content) => {
    const file = write('home/.docker/config.json', content);
    for (const act of [() => storeCredentials('r.io', ME), () => forgetCredentials('r.io')])
      await expect(act()).rejects.toMatchObject({
        code: 'CREDENTIALS_INVALID',
        message: expect.stringContaining(file),
        hint: expect.stringContaining('Nothing was written'),
      });
    expect(readFileSync(file, 'utf8')).toBe(content);
  });

  test('a login takes the place of what would be found instead, and a logout finds all', async () => {
    const podman = write('run/containers/auth.json', { auths: { 'r.io': { auth: auth('stale') } } });
    expect(await storeCredentials('r.io', ME)).toBe(podman);
    expect(await who()).toEqual(['me:pä:ß']);
    const docker = write('home/.docker/config.json', { auths: { 'https://r.io/v2/': { auth: auth('other') }, 'r.io/team': { auth: auth('team') } } });
    expect(await forgetCredentials('https://r.io')).toEqual([podman, docker]);
    expect(await who()).toEqual(['team:secret']);
    expect(await forgetCredentials('r.io/team')).toEqual([docker]);
  });

  test.for([false, true])('a login leaves no password under another spelling of the registry; kept by a helper: %s', async (hasHelper) => {
    if (hasHelper) helper('vault', 'cat > /dev/null');
    const old = { auth: auth('stale') };
    const auths = { 'https://r.io/v1/': old, 'r.io/team': old, 'http://r.io': old, 'r.io': { ...old, email: 'a@b' } };
    const file = write('home/.docker/config.json', { auths, ...(hasHelper ? { credsStore: 'vault' } : {}) });
    await storeCredentials('r.io', ME);
    const mine = { auth: Buffer.from('me:pä:ß').toString('base64'), email: 'a@b' };
    expect(JSON.parse(readFileSync(file, 'utf8')).auths).toEqual({ 'r.io/team': old, 'r.io': hasHelper ? {} : mine });
  });

  test.for([['docker.io'], ['index.docker.io'], ['registry-1.docker.io'], ['https://index.docker.io/v1/']])('%s is Docker Hub', async ([registry]) => {
    await storeCredentials(registry as string, ME);
    expect(Object.keys(JSON.parse(readFileSync(at.join('home/.docker/config.json'), 'utf8')).auths)).toEqual(['https://index.docker.io/v1/']);
    expect(await who('docker.io', 'library/x')).toEqual(['me:pä:ß']);
    await forgetCredentials('docker.io');
    expect(await who('docker.io', 'library/x')).toEqual([undefined]);
  });

  test('a helper keeps them where one is configured', async () => {
    helper(
      'vault',
      `cd ${at.path}; case $1 in store) cat > kept;; get) [ -f kept ] || { echo "credentials not found in native keychain"; exit 1; }; echo '{"Username":"me","Secret":"s"}';; erase) rm kept;; esac`,
    );
    const file = write('home/.docker/config.json', { credsStore: 'vault' });
    expect(await storeCredentials('r.io', ME)).toBe('docker-credential-vault');
    expect(JSON.parse(readFileSync(at.join('kept'), 'utf8'))).toEqual({ ServerURL: 'r.io', Username: 'me', Secret: 'pä:ß' });
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ credsStore: 'vault', auths: { 'r.io': {} } });
    expect(await forgetCredentials('r.io')).toEqual(['docker-credential-vault']);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ credsStore: 'vault', auths: {} });
    write('home/.docker/config.json', { credsStore: 'missing' });
    await expect(storeCredentials('r.io', ME)).rejects.toMatchObject({ code: 'CREDENTIAL_HELPER_FAILED' });
    expect(readFileSync(file, 'utf8')).toBe('{"credsStore":"missing"}');
  });

  test.for(['', 'a b', 'http://', '-x', 'r.io:0', 'r.io:port', 'r.io/UP', 'under_score', '[::1%eth0]', 'r.io/a//b', '../x'])("'%s' is no registry", (text) => {
    expect(() => parseLoginPlace(text)).toThrow(expect.objectContaining({ code: 'REFERENCE_INVALID' }));
  });
});
