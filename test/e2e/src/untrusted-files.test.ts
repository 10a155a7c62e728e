import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { busyboxArchive, ociBundle, type ScratchDirectory, SECRET, scratch, unfitFiles } from '@lamella-test/scratch';
import { ociLayout, tarArchive } from '@lamella-test/tree';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { CLI, cli } from './cli.js';
import { isRoot, requiresContainers } from './rights.js';

/** One reading of a place that has something unfit in it, and how it ended. */
interface Cell {
  readonly name: string;
  readonly kind: string;
  readonly what: 'load' | 'import' | 'unpack' | 'user';
  readonly argument: string;
  readonly user?: string;
}

interface Ended extends Cell {
  readonly code?: string;
  readonly message?: string;
  readonly milliseconds: number;
  readonly rss: number;
}

/** A cell may take so long, and a process have so much memory. */
const PATIENCE = 10_000;
const KIB_MAX = 500 * 1024;
/** Where a cell takes long: these kinds, or all of them with LAMELLA_LONG. */
const SHORT = ['a FIFO', 'a link out', '20 GiB'];
const LONG = process.env.LAMELLA_LONG !== undefined;
const chosen = (kind: string): boolean => LONG || SHORT.includes(kind);

const resolve = createRequire(createRequire(import.meta.url).resolve('@lamella/engine')).resolve;
/** Runs cells in a separate process, so that the test can end one that hangs, and measure its memory. */
const BODY = `
  import { ImageStore, unpackDirectory } from ${JSON.stringify(resolve('@lamella/image'))};
  import { findUser } from ${JSON.stringify(resolve('@lamella/namespace'))};
  import { readFileSync, writeSync } from 'node:fs';
  const store = new ImageStore(process.argv[1]);
  const ways = {
    load: ({ argument }) => store.load(argument, { name: 'loaded' }),
    import: ({ argument }) => store.import(argument, 'imported'),
    unpack: ({ argument }) => unpackDirectory(argument, argument + '.unpacked'),
    user: ({ argument, user }) => findUser(user, [argument]),
  };
  for (const cell of JSON.parse(readFileSync(0, 'utf8'))) {
    const began = performance.now();
    writeSync(2, cell.name + ': ' + cell.kind + '\\n');
    const ended = await Promise.resolve().then(() => ways[cell.what](cell)).then(() => ({}), ({ code, message }) => ({ code, message }));
    writeSync(1, JSON.stringify({ ...cell, ...ended, milliseconds: performance.now() - began, rss: process.resourceUsage().maxRSS }) + '\\n');
  }`;

let at: ScratchDirectory;
let lamella: ReturnType<typeof cli>;
beforeAll(() => {
  at = scratch();
  mkdirSync(at.join('outside'));
  lamella = cli(at.join('store'));
});
afterAll(() => at[Symbol.asyncDispose]());

/** In a separate store, because existing layers are not read again. */
function ended(cells: readonly Cell[], store: string = at.join(`store-${cells[0]?.name.replaceAll(/\W/g, '')}`)): readonly Ended[] {
  const { stdout, stderr, status } = spawnSync(process.execPath, ['--input-type=module', '-e', BODY, store], {
    input: JSON.stringify(cells),
    encoding: 'utf8',
    timeout: 60_000,
    killSignal: 'SIGKILL',
    maxBuffer: 1 << 26,
  });
  expect(status, `the last of these hung or died:\n${stderr.split('\n').slice(-4).join('\n')}`).toBe(0);
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

/** What holds for every cell. */
function expectSound(cells: readonly Ended[]): void {
  for (const { name, kind, code, message = '', milliseconds, rss } of cells) {
    const cell = `${name}: ${kind}`;
    expect(message, cell).not.toContain(SECRET);
    expect(message, cell).not.toContain('/proc/self/fd');
    expect(message.split('\n').length, cell).toBe(1);
    if (message) expect(code, `${cell}: ${message}`).toMatch(/^[A-Z][A-Z_]+$/);
    expect(milliseconds, cell).toBeLessThan(PATIENCE);
    expect(rss, cell).toBeLessThan(KIB_MAX);
  }
}

/** Cells in which each kind of object replaces each file of a directory. */
function placed(
  name: string,
  original: string,
  files: readonly string[],
  cell: (place: string) => Partial<Cell> & Pick<Cell, 'what' | 'argument'>,
  few = false,
): Cell[] {
  const unfit = unfitFiles(at.join('outside')).filter(({ name }) => !few || chosen(name));
  return files.flatMap((file, f) =>
    unfit.map(({ name: kind, make }, k) => {
      const copy = at.join(`${name}-${f}-${k}`);
      cpSync(original, copy, { recursive: true });
      make(path.join(copy, file));
      return { name: `${name}, ${file}`, kind, ...cell(copy) };
    }),
  );
}

const blobsOf = (layout: string): string[] => readdirSync(path.join(layout, 'blobs/sha256')).map((each) => `blobs/sha256/${each}`);
const layer = (): Buffer =>
  tarArchive([
    { name: 'etc/', type: '5' },
    { name: 'etc/passwd', data: 'root:x:0:0::/root:/bin/sh\n' },
  ]);

test('an image layout with anything in the place of a file', () => {
  ociLayout(at.join('layout'), [layer()]);
  const cells = placed('layout', at.join('layout'), ['index.json', ...blobsOf(at.join('layout')), 'oci-layout'], (argument) => ({ what: 'load', argument }));
  const all = ended(cells);
  expectSound(all);
  // The marker itself is not read; a file that nobody may read is read by root.
  const fine = all.filter(({ code }) => code === undefined);
  expect(fine.filter(({ name, kind }) => !(name.endsWith('oci-layout') && ['20 GiB', 'a file that nobody may read'].includes(kind)))).toEqual([]);
});

test('a directory of skopeo, and one as docker save makes it', () => {
  ociLayout(at.join('for-dir'), [layer()]);
  const directory = at.join('dir');
  mkdirSync(directory);
  for (const blob of blobsOf(at.join('for-dir'))) cpSync(at.join('for-dir', blob), path.join(directory, path.basename(blob)));
  const { manifests } = JSON.parse(readFileSync(at.join('for-dir/index.json'), 'utf8')) as { manifests: { digest: string }[] };
  cpSync(path.join(directory, manifests[0]?.digest.slice(7) ?? ''), path.join(directory, 'manifest.json'));
  rmSync(path.join(directory, manifests[0]?.digest.slice(7) ?? ''));
  writeFileSync(path.join(directory, 'version'), 'Directory Transport Version: 1.1\n');
  expect(lamella(['load', `dir:${directory}`, 'sound'])).toMatchObject({ status: 0 });
  const files = readdirSync(directory).filter((name) => name !== 'version');
  const archive = at.join('archive');
  mkdirSync(archive);
  const config = readdirSync(directory).find((name) => readFileSync(path.join(directory, name)).includes('"rootfs"')) ?? '';
  cpSync(path.join(directory, config), path.join(archive, 'config.json'));
  writeFileSync(path.join(archive, 'layer.tar'), layer());
  writeFileSync(path.join(archive, 'manifest.json'), JSON.stringify([{ Config: 'config.json', RepoTags: ['saved:latest'], Layers: ['layer.tar'] }]));
  expect(lamella(['load', archive])).toMatchObject({ status: 0 });
  const all = ended([
    ...placed('dir', directory, files, (argument) => ({ what: 'load', argument }), true),
    ...placed('archive', archive, ['manifest.json', 'config.json', 'layer.tar'], (argument) => ({ what: 'load', argument }), true),
  ]);
  expectSound(all);
  expect(all.filter(({ code }) => code === undefined)).toEqual([]);
});

test('an archive that is none', () => {
  mkdirSync(at.join('files'));
  writeFileSync(at.join('files/file.tar'), layer());
  const all = ended(
    (['load', 'import', 'unpack'] as const).flatMap((what) =>
      placed(what, at.join('files'), ['file.tar'], (copy) => ({ what, argument: path.join(copy, 'file.tar') })),
    ),
    at.join('store-archives'),
  );
  expectSound(all);
  expect(all.filter(({ code }) => code === undefined)).toEqual([]);
  expect(readdirSync(at.join('store-archives/imports')).filter((name) => name.startsWith('.'))).toEqual([]);
});

test('members of an archive with absurd sizes, and headers without an end', () => {
  const huge = (name: string): Buffer => {
    const header = Buffer.alloc(512);
    header.write(name, 0);
    header.write('0000644\0', 100);
    header.write('77777777777\0', 124);
    header.write('ustar\x0000', 257);
    header.write('0', 156);
    header.fill(' ', 148, 156);
    header.write(
      `${[...header]
        .reduce((sum, byte) => sum + byte, 0)
        .toString(8)
        .padStart(6, '0')}\0 `,
      148,
    );
    return header;
  };
  const pax = tarArchive([{ name: 'x', type: 'x', data: Buffer.from(`${1 << 20} comment=`.padEnd((1 << 20) - 1, 'x').concat('\n')) }]).subarray(
    0,
    512 + (1 << 20),
  );
  writeFileSync(at.join('manifest.tar'), Buffer.concat([huge('manifest.json'), Buffer.alloc(1024)]));
  writeFileSync(at.join('pax.tar'), Buffer.concat([...Array(20).fill(pax), layer()]));
  execFileSync('gzip', ['-1', at.join('pax.tar')]);
  const all = ended([
    { name: 'manifest.json of 8 GiB', kind: 'archive', what: 'load', argument: at.join('manifest.tar') },
    { name: '20 MiB of extended headers', kind: 'archive', what: 'import', argument: at.join('pax.tar.gz') },
  ]);
  expectSound(all);
  expect(all.map(({ code }) => code)).toEqual(['TAR_TRUNCATED', 'TAR_EXTENSION_TOO_LARGE']);
});

test('users of an image with anything in the place of /etc/passwd or /etc/group', () => {
  mkdirSync(at.join('rootfs/etc'), { recursive: true });
  writeFileSync(at.join('rootfs/etc/passwd'), 'root:x:0:0::/root:/bin/sh\napp:x:5:5::/app:/bin/sh\n');
  writeFileSync(at.join('rootfs/etc/group'), 'root:x:0:\nwheel:x:10:root\n');
  const all = ended(
    ['', '0:0', 'app', 'app:wheel', '7'].flatMap((user) =>
      placed(`user '${user}'`, at.join('rootfs'), ['etc/passwd', 'etc/group'], (argument) => ({ what: 'user', argument, user })),
    ),
  );
  expectSound(all);
  expect(all.filter(({ user, code }) => user === '0:0' && code !== undefined)).toEqual([]);
  const codes = new Set(all.map(({ code }) => code));
  expect([...codes].filter((code) => !['USER_NOT_FOUND', 'GROUP_NOT_FOUND', 'USERS_UNREADABLE', undefined].includes(code))).toEqual([]);
  const huge = all.filter(({ kind, name, user }) => kind === '20 GiB' && name.endsWith('passwd') && user !== '0:0');
  expect(huge.map(({ code }) => code)).toEqual(huge.map(() => 'USERS_UNREADABLE'));
});

describe('a container', () => {
  beforeEach((context) => requiresContainers(context));

  /** What its root can put there; sizes and links are its own affair. */
  const INSIDE: Readonly<Record<string, string>> = {
    'a FIFO': 'mkfifo',
    'a link to /dev/zero': 'ln -s /dev/zero',
    'a link to a FIFO': 'mkfifo /tmp/fifo; ln -s /tmp/fifo',
    'a loop of links': 'ln -s /etc/loop /etc/loop; ln -s /etc/loop',
    'a directory': 'mkdir',
    '20 GiB': 'truncate -s 20G',
    nothing: ':',
  };
  const put = (kind: string): string =>
    ['passwd', 'group', 'hosts.own']
      .map(
        (name) =>
          `rm -rf /etc/${name}; ${INSIDE[kind]?.replaceAll('/tmp/fifo', `/tmp/fifo.${name}`).replaceAll('/etc/loop', `/etc/loop.${name}`)} /etc/${name}`,
      )
      .join('; ');

  test.for(Object.keys(INSIDE).filter(chosen))('with %s as /etc/passwd and /etc/group keeps no command from ending', (kind) => {
    const name = kind.replaceAll(/\W+/g, '-').toLowerCase();
    expect(lamella(['import', busyboxArchive(), 'busybox'])).toMatchObject({ status: 0 });
    expect(lamella(['run', '-d', '--name', name, 'busybox', 'sh', '-c', `${put(kind)}; : > /ready; exec sleep 1000`])).toMatchObject({ status: 0 });
    const quick = (args: readonly string[], stdin: 'ignore' | 'inherit' = 'ignore') => {
      const began = Date.now();
      const outcome = lamella(args, { timeout: 2 * PATIENCE, killSignal: 'SIGKILL', stdio: [stdin, 'pipe', 'pipe'] });
      expect(Date.now() - began, args.join(' ')).toBeLessThan(PATIENCE);
      expect(outcome.stderr.trimEnd().split('\n').length, `${args.join(' ')}: ${outcome.stderr}`).toBeLessThan(4);
      return outcome;
    };
    for (let tries = 0; lamella(['exec', '-u', '0:0', name, 'test', '-e', '/ready']).status !== 0; tries++) expect(tries).toBeLessThan(100);
    // Numbers need no database.
    expect(quick(['exec', '-u', '0:0', name, 'true'])).toMatchObject({ status: 0 });
    expect(quick(['exec', name, 'true'])).toMatchObject({ status: 0 });
    expect(quick(['exec', '-u', 'root', name, 'true'])).toMatchObject({
      status: 125,
      stderr: expect.stringMatching(/^lamella: .*passwd|no user/),
    });
    for (const args of [
      ['top', name],
      ['changes', name, '--patch'],
      ...(LONG
        ? [
            ['inspect', name],
            ['ps', '-a'],
            ['logs', name],
            ['changes', name],
            ['stats', '--no-stream', name],
          ]
        : []),
    ])
      expect(quick(args), args.join(' ')).toMatchObject({ status: 0 });
    expect(quick(['stop', '-t', '0', name])).toMatchObject({ status: 0 });
    for (const args of [
      ...(LONG
        ? [
            ['changes', name, '--patch'],
            ['inspect', name],
          ]
        : []),
      ['start', name],
      ['stop', '-t', '0', name],
    ])
      expect(quick(args), args.join(' ')).toMatchObject({ status: 0 });
    // What has 20 GiB takes its time, as a part of what is copied.
    if (kind !== '20 GiB') {
      expect(quick(['cp', `${name}:/etc/passwd`, '-']).status).toBe(kind === 'nothing' ? 125 : 0);
      expect(quick(['commit', name, `${name}:committed`])).toMatchObject({ status: 0 });
      expect(quick(['run', '-u', '0:0', `${name}:committed`, 'true'])).toMatchObject({ status: 0 });
      expect(quick(['run', `${name}:committed`, 'true'])).toMatchObject({ status: 0 });
      expect(quick(['run', '-u', 'nobody', `${name}:committed`, 'true'])).toMatchObject({ status: 125 });
    }
    expect(quick(['rm', '-f', name])).toMatchObject({ status: 0 });
  });

  test('files that the user names may be pipes, and have their bounds', () => {
    const shell = (command: string) =>
      spawnSync('bash', ['-c', command, 'bash', CLI], {
        encoding: 'utf8',
        timeout: 2 * PATIENCE,
        env: { ...process.env, LAMELLA_NODE: process.execPath, LAMELLA_ROOT: at.join('store') },
      });
    expect(lamella(['import', busyboxArchive(), 'busybox'])).toMatchObject({ status: 0 });
    expect(shell(`"$1" run --env-file <(echo NAME=value) busybox sh -c 'echo $NAME'`)).toMatchObject({ status: 0, stdout: 'value\n' });
    for (const flag of ['--env-file /dev/zero', '--security-opt seccomp=/dev/zero', '--env-file /'])
      expect(shell(`"$1" run ${flag} busybox true`), flag).toMatchObject({
        status: 125,
        stderr: expect.stringMatching(/^lamella: cannot read the .*: .*\n.*\n$/),
      });
    expect(shell(`"$1" import <(cat ${busyboxArchive()}) piped`)).toMatchObject({ status: 0 });
    expect(shell(`"$1" load <("$1" save busybox)`)).toMatchObject({ status: 0 });
  });

  test('credentials with anything in the place of their file', () => {
    for (const [k, { name: kind, make }] of unfitFiles(at.join('outside'))
      .filter(({ name }) => chosen(name))
      .entries()) {
      const directory = at.join(`docker-${k}`);
      mkdirSync(directory);
      make(path.join(directory, 'config.json'));
      const { status, stderr } = lamella(['logout', 'registry.example'], { env: { DOCKER_CONFIG: directory, REGISTRY_AUTH_FILE: '' }, timeout: PATIENCE });
      expect(status, kind).toBe(125);
      expect(stderr, kind).not.toContain(SECRET);
      expect(stderr.trimEnd().split('\n').length, `${kind}: ${stderr}`).toBe(2);
    }
  });
});

describe('a bundle', () => {
  beforeEach((context) => requiresContainers(context));

  test('with anything in the place of config.json, of a process, or of the kept state', () => {
    mkdirSync(at.join('oci'));
    const { bundle, oci, configure, root } = ociBundle({ ...at, join: (...parts) => at.join('oci', ...parts) });
    configure((config) => {
      config.process.args = ['sleep', '100'];
    });
    const sound = readFileSync(path.join(bundle, 'config.json'));
    const refused = (what: string, ...args: string[]): void => {
      const began = Date.now();
      const { status, stderr } = oci(...args);
      expect(status, what).not.toBe(0);
      expect(stderr, what).not.toContain(SECRET);
      expect(stderr.trimEnd().split('\n').length, `${what}: ${stderr}`).toBeLessThan(3);
      expect(Date.now() - began, what).toBeLessThan(PATIENCE);
    };
    for (const { name: kind, make } of unfitFiles(at.join('outside')).filter(({ name }) => chosen(name))) {
      make(path.join(bundle, 'config.json'));
      refused(`config.json: ${kind}`, 'create', '--bundle', bundle, 'x');
    }
    expect(existsSync(root) ? readdirSync(root) : []).toEqual([]);
    rmSync(path.join(bundle, 'config.json'), { recursive: true, force: true });
    writeFileSync(path.join(bundle, 'config.json'), sound);
    expect(oci('create', '--bundle', bundle, 'x')).toMatchObject({ status: 0 });
    expect(oci('start', 'x')).toMatchObject({ status: 0 });
    const state = path.join(root, 'x/state.json');
    const kept = readFileSync(state);
    const restore = (): void => {
      rmSync(state, { recursive: true, force: true });
      writeFileSync(state, kept);
    };
    for (const { name: kind, make } of unfitFiles(at.join('outside')).filter(({ name }) => chosen(name))) {
      make(path.join(bundle, 'rootfs/etc/passwd'));
      if (isRoot()) expect(oci('exec', 'x', 'true'), kind).toMatchObject({ status: 0 });
      if (!kind.includes('FIFO')) {
        make(path.join(bundle, 'process.json'));
        refused(`a process: ${kind}`, 'exec', '--process', path.join(bundle, 'process.json'), 'x');
      }
      make(state);
      refused(`state.json: ${kind}`, 'state', 'x');
      restore();
    }
    expect(oci('delete', '--force', 'x')).toMatchObject({ status: 0 });
  });
});
