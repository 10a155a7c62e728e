import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createWriteStream, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { type AddressInfo, connect, createServer as createSocketServer } from 'node:net';
import path from 'node:path';
import { run } from '@lamella/engine';
import { ImageStore } from '@lamella/image';
import { busyboxArchive, findProgram, type Registry, requiresRoot, type ScratchDirectory, scratch, skip, startRegistry } from '@lamella-test/scratch';
import { ociLayout, tarArchive } from '@lamella-test/tree';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type FaultyProxy, faultyProxy } from './faulty-proxy.js';

const CLI = path.join(path.dirname(createRequire(import.meta.url).resolve('lamella/package.json')), 'bin/lamella');
const program = findProgram('docker-registry');
const skopeo = findProgram('skopeo');
let at: ScratchDirectory;
let registry: Registry;
let proxy: FaultyProxy;

/** Noise that does not compress, so that a layer keeps its size. */
const noise = (size: number): Buffer => Buffer.from(Array.from({ length: size }, (_, i) => ((i * 2654435761) >>> 13) & 0xff));
const LAYERS = [
  readFileSync(busyboxArchive()),
  tarArchive([{ name: 'big', data: noise(900_000) }]),
  tarArchive([{ name: 'etc/.wh.group' }, { name: 'tmp/mine', data: 'x' }]),
];

beforeAll(async () => {
  at = scratch();
  if (!program) return;
  registry = await startRegistry(program, at.join('registry'));
  proxy = await faultyProxy(registry.host);
  // Some builders write a relative working directory.
  ociLayout(at.join('layout'), LAYERS, { config: { Cmd: ['cat', '/tmp/mine'], Env: ['FROM=image'], WorkingDir: 'made', User: 'nobody' } });
  const store = new ImageStore(at.join('source'));
  await store.load(at.join('layout'), { name: `${registry.host}/team/app:v1` });
  await store.push(`${registry.host}/team/app:v1`);
});
afterAll(async () => {
  await proxy?.[Symbol.asyncDispose]();
  await registry?.[Symbol.asyncDispose]();
  await at[Symbol.asyncDispose]();
});
beforeEach((context) => {
  requiresRoot(context);
  if (!program) skip(context, 'docker-registry is not installed');
  proxy.fault = () => false;
  proxy.asked.length = 0;
});

let stores = 0;
const freshStore = (): ImageStore => new ImageStore(at.join(`store-${stores++}`));
const isBlob = (url: string | undefined): boolean => /\/blobs\/sha256/.test(url ?? '');

test('what is pushed can be pulled, runs, and is the same to the byte', async () => {
  const store = freshStore();
  const pulled = await store.pull(`${registry.host}/team/app:v1`);
  expect(pulled).toMatchObject({ layers: 3, unpacked: 3 });
  const result = await run({ root: store.paths.root, image: `${registry.host}/team/app:v1` });
  expect(result).toMatchObject({ exitCode: 0, stdout: 'x' });
  const more = await run({
    root: store.paths.root,
    image: `${registry.host}/team/app:v1`,
    args: ['sh', '-c', 'pwd; id -un; echo $FROM; ls /etc/group 2>&1; stat -c %a /tmp'],
  });
  expect(more.stdout).toBe('/made\nnobody\nimage\nls: /etc/group: No such file or directory\n1777');
  expect(await store.pull(`${registry.host}/team/app@${pulled.digest}`)).toMatchObject({ digest: pulled.digest, unpacked: 0 });
  expect(await store.resolve(`${registry.host}/team/app@${pulled.digest}`)).toMatchObject({ digest: pulled.digest });
});

test('skopeo can inspect and copy what we push, and the store itself', (context) => {
  if (!skopeo) skip(context, 'skopeo is not installed');
  const inspect = (...args: string[]) => JSON.parse(execFileSync(skopeo, ['inspect', ...args], { encoding: 'utf8' }));
  expect(inspect('--tls-verify=false', `docker://${registry.host}/team/app:v1`)).toMatchObject({
    Os: 'linux',
    Layers: [expect.any(String), expect.any(String), expect.any(String)],
    Env: ['FROM=image'],
  });
  expect(inspect(`oci:${at.join('source/images')}:${registry.host}/team/app:v1`).Layers).toHaveLength(3);
  execFileSync(skopeo, ['copy', '--src-tls-verify=false', `docker://${registry.host}/team/app:v1`, `oci:${at.join('copied')}:app`], { stdio: 'pipe' });
});

describe('what skopeo pushes', () => {
  test.for([
    ['gzip layers, OCI', ['--format', 'oci']],
    ['zstd layers, OCI', ['--format', 'oci', '--dest-compress-format', 'zstd']],
    ['Docker schema 2', ['--format', 'v2s2']],
  ] as const)('is pulled and runs: %s', async ([what, flags], context) => {
    if (!skopeo) skip(context, 'skopeo is not installed');
    const name = `${registry.host}/skopeo/${what.replace(/\W+/g, '-').toLowerCase()}:latest`;
    execFileSync(skopeo, ['copy', ...flags, '--dest-tls-verify=false', `oci:${at.join('layout')}:latest`, `docker://${name}`], { stdio: 'pipe' });
    const store = freshStore();
    await store.pull(name);
    expect((await run({ root: store.paths.root, image: name })).stdout).toBe('x');
  });

  test('an archive of ours is one to docker, podman and skopeo', async (context) => {
    if (!skopeo) skip(context, 'skopeo is not installed');
    const source = new ImageStore(at.join('source'));
    for (const format of ['docker-archive', 'oci-archive'] as const) {
      const file = at.join(`${format}.tar`);
      await source.save([`${registry.host}/team/app:v1`], createWriteStream(file), format);
      const name = format === 'oci-archive' ? `:${registry.host}/team/app:v1` : '';
      expect(JSON.parse(execFileSync(skopeo, ['inspect', `${format}:${file}${name}`], { encoding: 'utf8' })).Layers).toHaveLength(3);
      const store = freshStore();
      expect(await store.load(file)).toMatchObject([{ layers: 3, unpacked: 3 }]);
      expect((await run({ root: store.paths.root, image: `${registry.host}/team/app:v1` })).stdout).toBe('x');
    }
    const byPeer = at.join('by-skopeo.tar');
    execFileSync(skopeo, ['copy', `oci:${at.join('layout')}:latest`, `docker-archive:${byPeer}:some/name:v2`], { stdio: 'pipe' });
    const store = freshStore();
    expect((await store.load(`docker-archive:${byPeer}:some/name:v2`))[0]?.references).toMatchObject([{ path: 'some/name', tag: 'v2' }]);
    expect((await run({ root: store.paths.root, image: 'some/name:v2' })).stdout).toBe('x');
  });
});

describe('a registry that wants credentials', () => {
  test('is given those of the configuration, and says who is refused', async (context) => {
    const htpasswd = findProgram('htpasswd');
    if (!htpasswd || !program) return skip(context, 'htpasswd is not installed');
    writeFileSync(at.join('htpasswd'), execFileSync(htpasswd, ['-Bbn', 'somebody', 'secret']));
    await using closed = await startRegistry(program, at.join('closed'), at.join('htpasswd'));
    const store = new ImageStore(at.join('source'));
    const name = `${closed.host}/team/app:v1`;
    await store.tag(`${registry.host}/team/app:v1`, name);
    const before = process.env.REGISTRY_AUTH_FILE;
    process.env.REGISTRY_AUTH_FILE = at.join('auth.json');
    try {
      await expect(store.push(name)).rejects.toMatchObject({ code: 'REGISTRY_UNAUTHORIZED', hint: expect.stringContaining('lamella login') });
      const auth = (password: string): void =>
        writeFileSync(at.join('auth.json'), JSON.stringify({ auths: { [closed.host]: { auth: Buffer.from(`somebody:${password}`).toString('base64') } } }));
      auth('wrong');
      await expect(store.push(name)).rejects.toMatchObject({ code: 'REGISTRY_UNAUTHORIZED' });
      auth('secret');
      await store.push(name);
      expect(await freshStore().pull(name)).toMatchObject({ unpacked: 3 });
      writeFileSync(at.join('docker-credential-test'), '#!/bin/sh\nread host; echo "{\\"Username\\":\\"somebody\\",\\"Secret\\":\\"secret\\"}"\n', {
        mode: 0o755,
      });
      writeFileSync(at.join('auth.json'), JSON.stringify({ credHelpers: { [closed.host]: 'test' } }));
      process.env.PATH = `${at.path}:${process.env.PATH}`;
      expect(await freshStore().pull(name)).toMatchObject({ unpacked: 3 });
    } finally {
      if (before === undefined) delete process.env.REGISTRY_AUTH_FILE;
      else process.env.REGISTRY_AUTH_FILE = before;
    }
  });
});

describe('what goes wrong on the way', () => {
  const name = (): string => `${proxy.host}/team/app:v1`;

  test('a connection that breaks off is taken up where it was', async () => {
    const broken = new Set<string>();
    proxy.fault = (incoming, outgoing, upstream) => {
      if (!isBlob(incoming.url) || broken.has(incoming.url ?? '') || Number(upstream.headers['content-length']) < 100_000) return false;
      broken.add(incoming.url ?? '');
      outgoing.writeHead(200, upstream.headers);
      upstream.once('data', (chunk: Buffer) => {
        outgoing.write(chunk, () => outgoing.destroy());
        upstream.destroy();
      });
      return true;
    };
    expect(await freshStore().pull(name())).toMatchObject({ unpacked: 3 });
    expect(broken.size).toBeGreaterThan(0);
    expect(proxy.asked.filter((line) => / bytes=[1-9]\d*-$/.test(line)).length).toBe(broken.size);
  });

  test('an upload that breaks off goes on where the registry is', async () => {
    let cuts = 0;
    const sent: string[] = [];
    const [, port] = registry.host.split(':');
    const between = createSocketServer((client) => {
      const onward = connect(Number(port), '127.0.0.1');
      let patched = -1;
      client.on('data', (chunk) => {
        const text = chunk.toString('latin1');
        sent.push(...(text.match(/^(?:PATCH|GET .*uploads|content-range: \d+)/gim) ?? []));
        if (/^PATCH/m.test(text)) patched = 0;
        if (patched >= 0) patched += chunk.length;
        onward.write(chunk);
        if (patched < 400_000 || cuts) return;
        cuts++;
        // What came so far is the registry's to keep.
        onward.end();
        client.destroy();
      });
      client.on('error', () => onward.destroy()).on('close', () => onward.end());
      onward.on('error', () => client.destroy());
      onward.pipe(client);
    }).listen(0, '127.0.0.1');
    await once(between, 'listening');
    const store = new ImageStore(at.join('source'));
    const name = `127.0.0.1:${(between.address() as AddressInfo).port}/broken/app:v1`;
    await store.tag(`${registry.host}/team/app:v1`, name);
    await store.push(name);
    between.close();
    expect(cuts).toBe(1);
    expect(sent.some((line) => /^GET/.test(line))).toBe(true);
    expect(await freshStore().pull(`${registry.host}/broken/app:v1`)).toMatchObject({ unpacked: 3 });
  });

  test('a server that is busy is asked again when it says', async () => {
    let refusals = 2;
    proxy.fault = (_, outgoing, upstream) => {
      if (refusals-- <= 0) return false;
      upstream.resume();
      outgoing.writeHead(refusals ? 429 : 503, { 'retry-after': '0' }).end();
      return true;
    };
    expect(await freshStore().pull(name())).toMatchObject({ unpacked: 3 });
  });

  test.for<[string, string, FaultyProxy['fault']]>([
    [
      'a blob with a changed byte',
      'DIGEST_MISMATCH',
      (incoming, outgoing, upstream) => {
        if (!isBlob(incoming.url) || Number(upstream.headers['content-length']) < 100_000) return false;
        outgoing.writeHead(200, upstream.headers);
        let first = true;
        upstream.on('data', (chunk: Buffer) => {
          // In the gzip header's time stamp, which nothing but the digest notices.
          if (first) chunk[4] = (chunk[4] ?? 0) ^ 0xff;
          first = false;
          outgoing.write(chunk);
        });
        upstream.on('end', () => outgoing.end());
        return true;
      },
    ],
    [
      'a blob that goes on',
      'SIZE_MISMATCH',
      (incoming, outgoing, upstream) => {
        if (!isBlob(incoming.url) || Number(upstream.headers['content-length']) < 100_000) return false;
        const { 'content-length': _, ...headers } = upstream.headers;
        outgoing.writeHead(200, headers);
        upstream.on('end', () => outgoing.end(Buffer.alloc(1000)));
        upstream.pipe(outgoing, { end: false });
        return true;
      },
    ],
    [
      'a manifest that is another',
      'DIGEST_MISMATCH',
      (incoming, outgoing, upstream) => {
        if (!isBlob(incoming.url) || Number(upstream.headers['content-length']) > 2000) return false;
        upstream.resume();
        outgoing.writeHead(200, { 'content-type': 'application/json' }).end('{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}');
        return true;
      },
    ],
    [
      'a manifest of five megabytes',
      'DOCUMENT_TOO_LARGE',
      (incoming, outgoing, upstream) => {
        if (!/manifests/.test(incoming.url ?? '')) return false;
        upstream.resume();
        outgoing.writeHead(200, { 'content-type': 'application/vnd.oci.image.manifest.v1+json' }).end(Buffer.alloc(5 << 20, ' '));
        return true;
      },
    ],
    [
      "Docker's first format",
      'MANIFEST_UNSUPPORTED',
      (incoming, outgoing, upstream) => {
        if (!/manifests/.test(incoming.url ?? '')) return false;
        upstream.resume();
        outgoing.writeHead(200, { 'content-type': 'application/vnd.docker.distribution.manifest.v1+prettyjws' }).end('{"schemaVersion":1}');
        return true;
      },
    ],
    [
      'a 401 without an end',
      'REGISTRY_UNAUTHORIZED',
      (_, outgoing, upstream) => {
        upstream.resume();
        outgoing.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
        return true;
      },
    ],
    [
      'an hour of Retry-After',
      'REGISTRY_RATE_LIMITED',
      (_, outgoing, upstream) => {
        upstream.resume();
        outgoing.writeHead(429, { 'retry-after': '3600' }).end();
        return true;
      },
    ],
    [
      'redirects without an end',
      'REGISTRY_REDIRECTS',
      (incoming, outgoing, upstream) => {
        upstream.resume();
        outgoing.writeHead(307, { location: incoming.url }).end();
        return true;
      },
    ],
  ])('%s is refused, and a retry succeeds', async ([, code, fault]) => {
    const store = freshStore();
    proxy.fault = fault;
    await expect(store.pull(name())).rejects.toMatchObject({ code, hint: expect.stringMatching(/\w/) });
    expect(await store.list()).toEqual([]);
    expect(existsSync(store.paths.layers) ? readdirSync(store.paths.layers).filter((each) => each.startsWith('.')) : []).toEqual([]);
    proxy.fault = () => false;
    expect(await store.pull(name())).toMatchObject({ layers: 3 });
  });

  test('credentials do not go to another host', async () => {
    let seen: string | undefined = 'nothing came';
    const elsewhere = createServer((incoming, outgoing) => {
      seen = incoming.headers.authorization;
      outgoing.writeHead(404).end();
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => elsewhere.once('listening', resolve));
    const { port } = elsewhere.address() as { port: number };
    proxy.fault = (incoming, outgoing, upstream) => {
      upstream.resume();
      if (!incoming.headers.authorization) outgoing.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
      else outgoing.writeHead(302, { location: `http://127.0.0.1:${port}/elsewhere` }).end();
      return true;
    };
    await expect(freshStore().pull(name(), { credentials: { username: 'u', password: 'p' } })).rejects.toMatchObject({ code: 'REGISTRY_NOT_FOUND' });
    expect(seen).toBeUndefined();
    elsewhere.close();
  });

  test('nobody listens, or the name is unknown', async () => {
    await expect(freshStore().pull('127.0.0.1:1/a/b')).rejects.toMatchObject({ code: 'REGISTRY_UNREACHABLE', message: expect.stringContaining('127.0.0.1:1') });
    await expect(freshStore().pull(`${registry.host}/no/such:tag`)).rejects.toMatchObject({ code: 'REGISTRY_NOT_FOUND' });
  });
});

test('an index gives the image of the platform that is asked for', async () => {
  const manifests = [];
  for (const architecture of ['amd64', 'arm64']) {
    const layout = at.join(`layout-${architecture}`);
    const { digest } = ociLayout(layout, [LAYERS[0] as Buffer, tarArchive([{ name: 'arch', data: architecture }])], {
      name: architecture,
      edit: ({ config }) => Object.assign(config, { architecture }),
    });
    const store = new ImageStore(at.join(`multi-${architecture}`));
    const name = `${registry.host}/multi:${architecture}`;
    await store.load(layout, { name });
    await store.push(name);
    manifests.push({
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      digest,
      size: readFileSync(`${layout}/blobs/${digest.replace(':', '/')}`).length,
      platform: { os: 'linux', architecture },
    });
  }
  const mediaType = 'application/vnd.oci.image.index.v1+json';
  const index = JSON.stringify({ schemaVersion: 2, mediaType, manifests });
  const put = await fetch(`http://${registry.host}/v2/multi/manifests/latest`, { method: 'PUT', headers: { 'content-type': mediaType }, body: index });
  expect(put.status).toBe(201);
  for (const { digest, platform } of manifests) expect((await freshStore().pull(`${registry.host}/multi`, { platform })).digest).toBe(digest);
  await expect(freshStore().pull(`${registry.host}/multi`, { platform: { os: 'linux', architecture: 's390x' } })).rejects.toMatchObject({
    code: 'PLATFORM_MISSING',
    hint: expect.stringContaining('linux/amd64, linux/arm64'),
  });
  const { paths } = freshStore();
  const cat = (more: object): ReturnType<typeof run> => run({ root: paths.root, image: `${registry.host}/multi`, args: ['cat', '/arch'], ...more });
  expect((await cat({ pull: 'missing', platform: 'aarch64' })).stdout).toBe('arm64');
  expect((await cat({ pull: 'never' })).stdout).toBe('arm64');
  await expect(cat({ pull: 'never', platform: 'linux/amd64' })).rejects.toMatchObject({
    code: 'PLATFORM_MISSING',
    hint: expect.stringContaining('lamella pull --platform linux/amd64'),
  });
  expect((await cat({ pull: 'missing', platform: 'linux/amd64/v3' })).stdout).toBe('amd64');
  expect((await cat({ pull: 'missing' })).stdout).toBe('amd64');
  await expect(cat({ platform: 'no such' })).rejects.toMatchObject({ code: 'PLATFORM_INVALID' });
  const [own, other] = process.arch === 'arm64' ? ['arm64', 'amd64'] : ['amd64', 'arm64'];
  expect((await freshStore().pull(`${registry.host}/multi:${other}`)).warnings).toEqual([`the image is for linux/${other}, not for linux/${own}`]);
  const byDigest = `sha256:${createHash('sha256').update(index).digest('hex')}`;
  expect(await freshStore().pull(`${registry.host}/multi@${byDigest}`)).toMatchObject({ layers: 2 });
});

test('the command line logs in, pulls, runs what is missing, and pushes', (context) => {
  const htpasswd = findProgram('htpasswd');
  if (!htpasswd) return skip(context, 'htpasswd is not installed');
  const root = at.join('cli');
  const env = { ...process.env, LAMELLA_ROOT: root, REGISTRY_AUTH_FILE: at.join('cli-auth.json') };
  const lamella = (...args: string[]): string => execFileSync(process.execPath, [CLI, ...args], { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  expect(lamella('pull', `${registry.host}/team/app:v1`)).toMatch(/^127\.0\.0\.1:\d+\/team\/app:v1 sha256:[0-9a-f]{64} \(3 layers, 3 new\)\n$/);
  expect(lamella('rmi', `${registry.host}/team/app:v1`)).toMatch(/3 layers/);
  expect(lamella('run', `${registry.host}/team/app:v1`)).toBe('x');
  const events = lamella('pull', '--json', `${registry.host}/team/app:v1`)
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(events.at(-1)).toMatchObject({ event: 'done', layers: 3, unpacked: 0 });
  lamella('tag', `${registry.host}/team/app:v1`, `${registry.host}/by/cli:latest`);
  expect(lamella('push', '-q', `${registry.host}/by/cli`)).toMatch(/^sha256:/);
  const login = spawnSync(process.execPath, [CLI, 'login', registry.host, '-u', 'me', '--password-stdin'], { env, encoding: 'utf8', input: 'secret\n' });
  expect(login).toMatchObject({ status: 0, stdout: `Login Succeeded: ${registry.host} (credentials stored in ${at.join('cli-auth.json')})\n` });
  expect(JSON.parse(readFileSync(at.join('cli-auth.json'), 'utf8')).auths[registry.host].auth).toBe(Buffer.from('me:secret').toString('base64'));
  expect(lamella('logout', registry.host)).toBe(`Removed login credentials for ${registry.host}\n`);
});
