import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { lstatSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { AT_FDCWD, type Op, RENAME, run } from '@lamella/syscall';
import { busyboxArchive, requiresProgram, requiresRoot, type ScratchDirectory, scratch } from '@lamella-test/scratch';
import { describeTree } from '@lamella-test/tree';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { applyingOf, readJournal, underWay } from '../../changes/apply/program/journal.js';
import { Containers, ImageStore, pool, type RunSpec, recover, type StoredContainer } from '../../index.js';
import { lookAt } from './identify-source.js';

let at: ScratchDirectory;
let root: string;
let containers: Containers;
beforeAll(async () => {
  at = scratch();
  root = at.join('store');
  containers = new Containers(root);
  await new ImageStore(root).import(busyboxArchive(), 'busybox');
});
beforeEach((context) => requiresRoot(context));
afterEach(async () => {
  for (const { id } of await containers.list()) await (await containers.get(id)).remove({ force: true });
  for (const name of readdirSync(at.path)) if (name !== 'store') rmSync(at.join(name), { recursive: true, force: true });
});
afterAll(() => at[Symbol.asyncDispose]());

/** A directory `d` with what a container is given in it, and `outside`, which it is not given. */
function prepare(): void {
  mkdirSync(at.join('d/way'), { recursive: true });
  mkdirSync(at.join('d/way/p'));
  writeFileSync(at.join('d/way/p/own'), 'own\n');
  writeFileSync(at.join('d/way/file'), 'own\n');
  spawnSync('mknod', [at.join('d/way/device'), 'c', '1', '3']);
  mkdirSync(at.join('outside/p'), { recursive: true });
  for (const name of ['secret', 'p/secret', 'file', 'device']) writeFileSync(at.join('outside', name), 'secret\n');
}

/** All of the host's that a container could be led to. */
const trees = async (): Promise<unknown> =>
  Promise.all(['d', 'outside', 'aside'].filter((name) => name !== 'aside' || isDirectory(at.join(name))).map((name) => describeTree(at.join(name))));

function isDirectory(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** What a container can be given, and where it is. */
const KINDS: Readonly<Record<string, { readonly source: string; readonly spec: () => Partial<RunSpec>; readonly inside: string }>> = {
  'a volume': { source: 'd/way/p', spec: () => ({ volumes: [{ source: at.join('d/way/p'), destination: '/v' }] }), inside: 'cat /v/* 2>/dev/null' },
  'a read-only volume': {
    source: 'd/way/p',
    spec: () => ({ volumes: [{ source: at.join('d/way/p'), destination: '/v', readonly: true }] }),
    inside: 'cat /v/* 2>/dev/null',
  },
  'an overlay': {
    source: 'd/way/p',
    spec: () => ({ volumes: [{ source: at.join('d/way/p'), destination: '/v', overlay: true }] }),
    inside: 'cat /v/*; echo changed >/v/changed',
  },
  'a file': { source: 'd/way/file', spec: () => ({ volumes: [{ source: at.join('d/way/file'), destination: '/v' }] }), inside: 'cat /v' },
  'a mapped overlay': {
    source: 'd/way/p',
    spec: () => ({ userns: { mode: 'auto' }, volumes: [{ source: at.join('d/way/p'), destination: '/v', overlay: true }] }),
    inside: 'cat /v/*; echo changed >/v/changed',
  },
  'a mapped volume': {
    source: 'd/way/p',
    spec: () => ({ userns: { mode: 'auto' }, volumes: [{ source: at.join('d/way/p'), destination: '/v', idmap: true }] }),
    inside: 'cat /v/* 2>/dev/null',
  },
  'a device': {
    source: 'd/way/device',
    spec: () => ({ devices: [{ source: at.join('d/way/device'), destination: '/dev/given' }] }),
    inside: 'cat /dev/given',
  },
};

const LONG = process.env.LAMELLA_LONG !== undefined;
/** In the short form only these kinds meet everything that can take their place, and the others these. */
const THOROUGH: readonly string[] = ['an overlay', 'a file'];
const EACH: readonly string[] = ['a link to a directory', 'another file', 'nothing'];

/** What takes its place. */
const OTHERS: Readonly<Record<string, (source: string) => void>> = {
  'a link to a directory': (source) => symlinkSync(at.join('outside/p'), source),
  'a link to a file': (source) => symlinkSync(at.join('outside/secret'), source),
  'a link to the same': (source) => symlinkSync(at.join('aside'), source),
  'another directory': (source) => {
    mkdirSync(source);
    writeFileSync(path.join(source, 'secret'), 'secret\n');
  },
  'another file': (source) => writeFileSync(source, 'secret\n'),
  'another device': (source) => spawnSync('mknod', [source, 'c', '1', '5']),
  nothing: () => undefined,
};

const COMMANDS: Readonly<Record<string, (container: StoredContainer) => Promise<unknown>>> = {
  run: async (container) => (await container.run({ args: ['true'] })).result,
  start: (container) => container.start(),
  restart: (container) => container.restart(),
  'fork and run': async (container) => {
    const [fork] = await container.fork();
    try {
      return await (await (fork as StoredContainer).run({ args: ['true'] })).result;
    } finally {
      await fork?.remove();
    }
  },
  'cp out': async (container) => Array.fromAsync(await container.copyOut('/bin', 'bin')),
  'cp in': async (container) => container.copyIn(Readable.from([]), '/'),
};
const OF_OVERLAYS: typeof COMMANDS = {
  changes: (container) => Array.fromAsync(container.changes()),
  apply: (container) => container.apply(),
  'a trial apply': (container) => container.apply({ dryRun: true }),
  views: (container) => container.writableMounts(),
};

const given = (destination = '/v', more = {}): Partial<RunSpec> => ({ volumes: [{ source: at.join('d/way/p'), destination, ...more }] });
const make = async (spec: Partial<RunSpec>): Promise<StoredContainer> => containers.create({ image: 'busybox', args: ['true'], ...spec });
const refused = { code: 'VOLUME_MOVED' };

test.each(Object.entries(KINDS))('%s that something else takes the place of is refused', async (kind, { source, spec, inside }) => {
  prepare();
  const overlay = spec().volumes?.[0]?.overlay === true;
  const container = await make(spec());
  const { stdout } = await (await container.run({ args: ['sh', '-c', inside] })).result;
  expect(String(stdout)).toBe(source.endsWith('device') ? '' : 'own');
  const place = at.join(source);
  const others = Object.entries(OTHERS).filter(([other]) => LONG || THOROUGH.includes(kind) || EACH.includes(other));
  for (const [other, replace] of others) {
    renameSync(place, at.join('aside'));
    replace(place);
    const before = await trees();
    for (const [name, command] of Object.entries({ ...COMMANDS, ...(overlay ? OF_OVERLAYS : {}) }))
      await expect(command(container), `${name}, with ${other}`).rejects.toMatchObject({ code: 'VOLUME_MOVED', message: expect.stringContaining(place) });
    expect(await trees()).toEqual(before);
    // The same object, moved back, is what the container was given.
    rmSync(place, { recursive: true, force: true });
    renameSync(at.join('aside'), place);
  }
  await COMMANDS.run?.(container);
  if (overlay) expect((await container.apply()).changes.map(({ path: where }) => where)).toEqual(['/v/changed']);
});

test('a link on the way, and a mount over it, are other objects, too', async (context) => {
  requiresProgram(context, 'mount');
  prepare();
  const container = await make(given('/v', { overlay: true }));
  await (await container.run({ args: ['touch', '/v/new'] })).result;
  renameSync(at.join('d/way'), at.join('d/other'));
  symlinkSync('other', at.join('d/way'));
  await expect(Array.fromAsync(container.changes())).rejects.toMatchObject({ ...refused, message: expect.stringContaining('way is a symbolic link to other') });
  rmSync(at.join('d/way'));
  renameSync(at.join('d/other'), at.join('d/way'));
  expect(spawnSync('mount', ['--bind', at.join('outside'), at.join('d/way/p')]).status).toBe(0);
  try {
    await expect(container.apply()).rejects.toMatchObject(refused);
  } finally {
    spawnSync('umount', [at.join('d/way/p')]);
  }
  // The same directory, mounted over itself, is the same.
  expect(spawnSync('mount', ['--bind', at.join('d/way/p'), at.join('d/way/p')]).status).toBe(0);
  try {
    expect(await Array.fromAsync(container.changes())).toHaveLength(1);
  } finally {
    spawnSync('umount', [at.join('d/way/p')]);
  }
});

test('links in the path that was asked for are followed once', async () => {
  prepare();
  symlinkSync('d', at.join('asked'));
  const container = await make({ volumes: [{ source: at.join('asked/way/p'), destination: '/v', overlay: true }] });
  await (await container.run({ args: ['touch', '/v/new'] })).result;
  rmSync(at.join('asked'));
  symlinkSync('outside', at.join('asked'));
  await container.apply();
  expect(readdirSync(at.join('d/way/p'))).toEqual(['new', 'own']);
  expect(readdirSync(at.join('outside/p'))).toEqual(['secret']);
});

test('what only a magic link leads to is refused, and not taken for what is at the same path here', async (context) => {
  for (const program of ['unshare', 'mount']) requiresProgram(context, program);
  prepare();
  const script = 'mount -t tmpfs lamella-test "$0" && touch "$0/elsewhere" && echo ready && exec sleep 1000';
  const other = spawn('unshare', ['-m', 'sh', '-c', script, at.join('d/way/p')], { stdio: ['ignore', 'pipe', 'ignore'] });
  try {
    await once(other.stdout, 'data');
    const source = `/proc/${other.pid}/root${at.join('d/way/p')}`;
    await expect(make({ volumes: [{ source, destination: '/v' }] })).rejects.toMatchObject({
      code: 'VOLUME_INVALID',
      message: expect.stringContaining(source),
    });
    // The root of the same namespace is the same root.
    const same = await make({ volumes: [{ source: `/proc/self/root${at.join('d/way/p')}`, destination: '/v' }] });
    expect(String((await (await same.run({ args: ['ls', '/v'] })).result).stdout)).toBe('own');
  } finally {
    other.kill('SIGKILL');
  }
});

test('a container without a record is given what is there when it is next looked at', async () => {
  prepare();
  const container = await make(given());
  const file = path.join(root, 'containers', container.id, 'config.json');
  const { sources: _, ...before } = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  writeFileSync(file, JSON.stringify(before));
  const again = await containers.get(container.id);
  await (await again.run({ args: ['true'] })).result;
  renameSync(at.join('d/way/p'), at.join('aside'));
  mkdirSync(at.join('d/way/p'));
  await expect(again.start()).rejects.toMatchObject(refused);
});

/** Ways to start a container again, whose user accepts what is at some paths. */
const ACCEPTING: Readonly<Record<string, (container: StoredContainer, acceptSources: readonly string[]) => Promise<unknown>>> = {
  start: async (container, acceptSources) => {
    await container.start({ acceptSources });
    return container.stop({ timeout: 0 });
  },
  restart: async (container, acceptSources) => {
    await container.restart({ acceptSources, timeout: 0 });
    return container.stop({ timeout: 0 });
  },
  run: async (container, acceptSources) => (await container.run({ args: ['true'], acceptSources })).result,
};

/** What takes the place of a file, a directory or a device, and whether its user can accept it. */
const ACCEPTABLE: readonly (readonly [kind: string, other: string, accepted: boolean])[] = [
  ['a file', 'another file', true],
  ['a file', 'another directory', false],
  ['a file', 'a link to a file', false],
  ['a file', 'nothing', false],
  ['a volume', 'another directory', true],
  ['a volume', 'another file', false],
  ['a volume', 'a link to the same', false],
  ['a read-only volume', 'another directory', true],
  ['a device', 'another device', true],
  ['a device', 'another file', false],
  ['an overlay', 'another directory', true],
];

test.each(ACCEPTABLE)('%s whose place %s took is accepted at the word of its user only: %s', async (kind, other, accepted) => {
  const { source, spec } = KINDS[kind] as (typeof KINDS)[string];
  for (const [way, again] of Object.entries(ACCEPTING)) {
    prepare();
    const container = await make({ ...spec(), args: ['sleep', '1000'] });
    const place = at.join(source);
    renameSync(place, at.join('aside'));
    OTHERS[other]?.(place);
    await expect(again(container, []), way).rejects.toMatchObject({
      ...refused,
      hint: expect.stringContaining(`lamella start --accept-source ${place} ${container.config.spec.name}`),
    });
    await expect(again(container, [at.join('outside')]), way).rejects.toMatchObject({ code: 'VOLUME_INVALID', message: expect.stringContaining('no source') });
    if (accepted) {
      await again(container, [place]);
      // From now on it is what the container was given.
      await again(await containers.get(container.id), []);
      rmSync(place, { recursive: true, force: true });
      renameSync(at.join('aside'), place);
      await expect(again(container, []), way).rejects.toMatchObject(refused);
    } else {
      await expect(again(container, [place]), way).rejects.toMatchObject({ code: 'VOLUME_INVALID', message: expect.stringContaining('cannot be accepted') });
      await expect(again(container, []), way).rejects.toMatchObject(refused);
    }
    await container.remove();
    for (const name of readdirSync(at.path)) if (name !== 'store') rmSync(at.join(name), { recursive: true, force: true });
  }
});

test('what is accepted is one source, and no overlay that has changes', async () => {
  prepare();
  const both = await make({
    volumes: [
      { source: at.join('d/way/file'), destination: '/f' },
      { source: at.join('d/way/p'), destination: '/v', overlay: true },
    ],
  });
  await (await both.run({ args: ['touch', '/v/new'] })).result;
  const replace = (name: string): void => {
    renameSync(at.join('d/way', name), at.join(`aside-${name}`));
    if (name === 'p') mkdirSync(at.join('d/way/p'));
    else writeFileSync(at.join('d/way', name), 'other\n');
  };
  replace('file');
  await both.start({ acceptSources: [at.join('d/way/file')] });
  await both.wait();
  replace('p');
  await expect(both.start()).rejects.toMatchObject({ ...refused, message: expect.stringContaining('d/way/p') });
  await expect(both.start({ acceptSources: [at.join('d/way/file')] })).rejects.toMatchObject(refused);
  await expect(both.start({ acceptSources: [at.join('d/way/p')] })).rejects.toMatchObject({
    code: 'VOLUME_INVALID',
    message: expect.stringContaining('changes'),
  });
  rmSync(at.join('d/way/p'), { recursive: true });
  renameSync(at.join('aside-p'), at.join('d/way/p'));
  expect((await both.apply()).changes.map(({ path: where }) => where)).toEqual(['/v/new']);
});

test('an apply that puts another file in the place of a source, and its undo, are followed', async () => {
  prepare();
  const other = await make({ volumes: [{ source: at.join('d/way/file'), destination: '/f' }] });
  const container = await make({
    volumes: [
      { source: at.join('d/way'), destination: '/v', overlay: true },
      { source: at.join('d/way/file'), destination: '/f', readonly: true },
    ],
  });
  await (await container.run({ args: ['sh', '-c', 'echo new >/v/file.new; mv /v/file.new /v/file'] })).result;
  const read = async (which: StoredContainer): Promise<string> => String((await (await which.run({ args: ['cat', '/f'] })).result).stdout);
  await container.apply();
  expect([await read(container), await read(other)]).toEqual(['new', 'new']);
  await containers.undoApply(container.id);
  expect([await read(container), await read(other)]).toEqual(['own', 'own']);
  // What another process exchanged is not.
  renameSync(at.join('d/way/file'), at.join('aside'));
  writeFileSync(at.join('d/way/file'), 'secret\n');
  await expect(read(other)).rejects.toMatchObject(refused);
});

test('an apply that was killed before it could record new sources does so with the next command, but not for what somebody else put there', async () => {
  prepare();
  const asked = at.join('d/way/file-\ufffd');
  writeFileSync(asked, 'own\n');
  // The replacement character shown for another name's byte is not that name.
  writeFileSync(Buffer.concat([Buffer.from(at.join('d/way/file-')), Buffer.of(0xff)]), 'own\n');
  const other = await make({ volumes: [{ source: asked, destination: '/f' }] });
  const container = await make({ volumes: [{ source: at.join('d/way'), destination: '/v', overlay: true }] });
  await (await container.run({ args: ['sh', '-c', "cd /v; f=$(printf 'file-\\357\\277\\275'); echo new >new; mv new $f"] })).result;
  const was = lookAt(asked);
  const record = path.join(root, 'containers', other.id, 'sources');
  const read = async (): Promise<string> => String((await (await other.run({ args: ['cat', '/f'] })).result).stdout);
  await container.apply();
  expect(await read()).toBe('new');
  const { token } = (await readJournal(root, container.id)) ?? { token: '' };
  const killed = (): void => {
    rmSync(record);
    writeFileSync(applyingOf(root, container.id), JSON.stringify({ token, stages: [], follows: [{ container: other.id, asked, was }] }));
  };
  killed();
  expect(await read()).toBe('new');
  killed();
  renameSync(asked, at.join('aside'));
  writeFileSync(asked, 'secret\n');
  await expect(read()).rejects.toMatchObject(refused);
});

test('an undo does not reach what took the place of its target', async () => {
  prepare();
  const container = await make(given('/v', { overlay: true }));
  await (await container.run({ args: ['sh', '-c', 'echo new >/v/own; touch /v/secret'] })).result;
  await container.apply();
  renameSync(at.join('d/way/p'), at.join('aside'));
  symlinkSync(at.join('outside/p'), at.join('d/way/p'));
  const before = await trees();
  await expect(containers.undoApply(container.id, { force: true })).rejects.toMatchObject({ code: expect.stringMatching(/VOLUME_MOVED|APPLY_INCOMPLETE/) });
  await container.remove();
  await expect(containers.undoApply(container.id, { force: true })).rejects.toMatchObject({ code: expect.stringMatching(/VOLUME_MOVED|APPLY_INCOMPLETE/) });
  expect(await trees()).toEqual(before);
  rmSync(at.join('d/way/p'));
  renameSync(at.join('aside'), at.join('d/way/p'));
  await containers.undoApply(container.id);
  expect(readFileSync(at.join('d/way/p/own'), 'utf8')).toBe('own\n');
});

test('a monitor does not start its container again with something else', async () => {
  prepare();
  const { container } = await containers.run({
    image: 'busybox',
    ...given(),
    restart: { policy: 'always' },
    args: ['sh', '-c', 'cat /v/*; sleep 0.2'],
  });
  renameSync(at.join('d/way/p'), at.join('aside'));
  symlinkSync(at.join('outside/p'), at.join('d/way/p'));
  await sleep(800);
  await container.stop({ timeout: 0 });
  expect((await Array.fromAsync(container.logs())).map(({ content }) => content.toString()).join('')).not.toContain('secret');
});

test('layers of a container that runs are not exchanged over something else', async () => {
  prepare();
  const { container } = await containers.run({ image: 'busybox', ...given('/v', { overlay: true }), args: ['sleep', '1000'] });
  renameSync(at.join('d/way/p'), at.join('aside'));
  mkdirSync(at.join('d/way/p'));
  for (const command of [() => container.checkpoint(), () => container.rollback(null), () => container.fork()])
    await expect(command()).rejects.toMatchObject(refused);
  expect((await container.history()).checkpoints).toEqual([]);
});

test('all containers of a pool are given the same', async () => {
  prepare();
  await using warm = await pool({
    image: 'busybox',
    root,
    size: 1,
    volumes: [
      { source: at.join('d/way'), destination: '/d' },
      { source: at.join('d/way/p'), destination: '/v' },
    ],
  });
  await warm.run(['sh', '-c', `mv /d/p /d/q; ln -s ${at.join('outside/p')} /d/p`]);
  for (let i = 0; i < 3; i++) await expect(warm.run(['cat', '/v/secret'])).rejects.toMatchObject(refused);
});

/** Exchanges two names all the time, until it is disposed of. */
function exchanging(a: string, b: string): AsyncDisposable {
  let over = false;
  const op: Op = { op: 'renameat2', olddirfd: AT_FDCWD, oldpath: a, newdirfd: AT_FDCWD, newpath: b, flags: RENAME.EXCHANGE };
  const program = Array.from({ length: 2000 }, () => op);
  const work = (async () => {
    while (!over) await run(program);
  })();
  return {
    async [Symbol.asyncDispose]() {
      over = true;
      await work;
    },
  };
}

test.each(['a volume', 'an overlay', 'a mapped overlay', 'a mapped volume'])(
  'what is exchanged for a link in a loop leads no command out of %s',
  async (kind) => {
    const attempts = LONG ? 500 : 6;
    prepare();
    const spec = KINDS[kind]?.spec() ?? {};
    symlinkSync(at.join('outside/p'), at.join('d/way/q'));
    const first = await make({ ...spec });
    await (await first.run({ args: ['sh', '-c', 'echo written >/v/written'] })).result;
    const outside = await describeTree(at.join('outside'));
    const outcomes = new Set<string>();
    const attempt = async (work: () => Promise<unknown>): Promise<void> => {
      try {
        expect(JSON.stringify(await work())).not.toContain('secret');
        outcomes.add('done');
      } catch (error) {
        const { code } = error as { code?: string };
        // One that meets the link again while it is taken back waits for the next command.
        if (!['VOLUME_MOVED', 'APPLY_CONFLICT', 'APPLY_FAILED', 'APPLY_INCOMPLETE', 'VOLUME_INVALID'].includes(code ?? '')) throw error;
        outcomes.add('refused');
      }
    };
    {
      await using _loop = exchanging(at.join('d/way/p'), at.join('d/way/q'));
      const script = 'cat /v/*; echo written >/v/written; chmod 700 /v';
      for (let i = 0; i < attempts; i++) {
        await attempt(async () => String((await (await first.run({ args: ['sh', '-c', script] })).result).stdout));
        await attempt(async () => (await Array.fromAsync(first.changes())).map(({ path: where }) => where));
        if (spec.volumes?.[0]?.overlay) await attempt(async () => (await first.apply({ onConflict: 'ours' })).changes.map(({ path: where }) => where));
      }
    }
    const [p, q] = [at.join('d/way/p'), at.join('d/way/q')];
    if (lstatSync(p).isSymbolicLink()) await run([{ op: 'renameat2', olddirfd: AT_FDCWD, oldpath: p, newdirfd: AT_FDCWD, newpath: q, flags: RENAME.EXCHANGE }]);
    await recover(root);
    expect(underWay(root)).toEqual([]);
    expect(await describeTree(at.join('outside'))).toEqual(outside);
    expect(outcomes.has('refused')).toBe(true);
  },
  600_000,
);
