import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, cpSync, lstatSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { ContainerProblem } from '@lamella/engine';
import { allInTime, busyboxArchive, requiresProgram, requiresRoot, SEED, scratch } from '@lamella-test/scratch';
import { describeTree, ociLayout, tarArchive } from '@lamella-test/tree';
import { expect, test } from 'vitest';
import { cli } from './cli.js';
import { DAMAGES, type Damage, TREE_DAMAGES } from './damage.js';
import { StoreWorker } from './store-worker.js';
import { type TestUser, USERS } from './test-user.js';

/** All cases; else so many for each who, and others each day. */
const ALL = process.env.LAMELLA_LONG === '1';
const SHORT = { root: 8, others: 2, containers: 8 };

interface Case {
  /** Below the store. */
  readonly file: string;
  readonly damage: Damage;
}

/** Layers with everything that a check has to tell apart; the topmost leans on those below it. */
function layers(): Buffer[] {
  return [
    tarArchive([
      { name: './', type: '5', mode: 0o755, mtime: 1_000_000 },
      { name: 'dir/', type: '5', mode: 0o711, mtime: 1_000_000 },
      { name: 'dir/file', data: 'content', mode: 0o640, uid: 3, gid: 4, mtime: 1_000_000, pax: { 'SCHILY.xattr.user.colour': 'red' } },
      { name: 'dir/empty', mtime: 1_000_000 },
      { name: 'dir/large', data: Buffer.alloc(200_000, 'large'), mtime: 1_000_000 },
      { name: 'dir/again', type: '1', linkname: 'dir/file' },
      { name: 'link', type: '2', linkname: 'dir', mtime: 1_000_000 },
      { name: 'gone/', type: '5', mtime: 1_000_000 },
      { name: 'gone/x', data: 'x', mtime: 1_000_000 },
    ]),
    tarArchive([
      { name: 'gone/.wh.x', data: '' },
      { name: 'implied/deep/file', data: 'y', mtime: 1_000_000 },
      { name: 'dir/.wh..wh..opq', data: '' },
    ]),
    tarArchive([
      { name: 'link/inside', data: 'z', mtime: 1_000_000 },
      { name: 'same', type: '1', linkname: 'implied/deep/file' },
    ]),
  ];
}

/** Everything below a directory, sorted; what has no place in a walk is left out. */
function walk(root: string, below = ''): string[] {
  return readdirSync(path.join(root, below))
    .sort()
    .flatMap((name) => {
      const file = path.join(below, name);
      const whiteout = lstatSync(path.join(root, file)).isCharacterDevice();
      return [...(whiteout ? [] : [file]), ...(lstatSync(path.join(root, file)).isDirectory() ? walk(root, file) : [])];
    });
}

/** What a store has, without what differs each time: times of unpacking, locks, and what is not listed. */
async function describe(root: string): Promise<string[]> {
  const tree = await describeTree(root);
  return [...tree]
    .filter(([name]) => !/^(?:\.$|locks|containers|skeleton|frozen|imports\/|(?:layers|chains|rebased)\/[^/]+\/verified$)/.test(name))
    .map(([name, { type, mode, owner, content, xattrs, sameAs, mtime }]) => {
      const inTree = /^(?:layers|chains|rebased)\/[^/]+\/fs\//.test(name);
      const timed = inTree && type === 'file' && !/\/\.wh\./.test(name) ? mtime : '';
      if (/\/meta\.json$/.test(name)) {
        const { unpackedAt: _, sum: __, ...meta } = JSON.parse(readFileSync(path.join(root, name), 'utf8')) as { unpackedAt: number; sum: string };
        return `${name} ${JSON.stringify(meta)}`;
      }
      return [name, type, mode, owner, content, xattrs, inTree ? sameAs.replace(/^.*?\/fs\//, '') : '', timed].join(' ');
    })
    .filter((line) => !/^images\/index\.json/.test(line));
}

/** Parts of the store that only save time. Other content in them does no damage; another kind of object does. */
function isPlain(file: string): boolean {
  return /^(?:locks\/|containers\/\.|layers\/[^/]+\/(?:verified|from-))/.test(file);
}

function isHarmless({ file, damage }: Case): boolean {
  if (/^(?:skeleton|containers\/\.events|containers\/\.lock|containers\/\.names$)/.test(file)) return true;
  if (/^(?:locks|imports|rebased|chains|rebased\/[^/]+|chains\/[^/]+)$/.test(file)) return true;
  // They are made anew when they are needed.
  if (/^(?:chains|rebased)\/[^/]+(?:\/fs|\/meta\.json)?$/.test(file)) return true;
  if (/^imports\//.test(file)) return damage.name === 'deleted' || damage.name === 'a flipped bit';
  return isPlain(file) && !/directory|link|FIFO/.test(damage.name);
}

function casesIn(root: string): Case[] {
  const files = walk(root).filter((file) => !file.startsWith('containers/') && !/^(?:containers|skeleton|frozen)$/.test(file));
  return files.flatMap((file) => {
    const inTree = /^(?:layers|chains|rebased)\/[^/]+\/fs(?:\/|$)/.test(file);
    return [...DAMAGES, ...(inTree ? TREE_DAMAGES : [])].map((damage) => ({ file, damage }));
  });
}

/** In an order in which those that come first are of all kinds. */
function mixed<Item>(items: readonly Item[]): Iterable<Item> {
  // A prime: every one comes once.
  return ALL ? allInTime(items) : items.map((_, i) => items[(i * 7919 + SEED * 31) % items.length] as Item);
}

interface Checked {
  readonly problems: readonly (ContainerProblem & { readonly differences?: { readonly first: readonly { readonly path: string }[] } })[];
}

const CHECK = (options: string): string =>
  `const options = ${options}; const found = await store.check(options); return { problems: [...found.problems, ...(await checkContainers(root, { repair: options.repair ?? false }))] };`;

async function prepared(
  at: ReturnType<typeof scratch>,
  who: TestUser,
): Promise<{ readonly root: string; readonly worker: StoreWorker; readonly load: string }> {
  ociLayout(at.join('layout'), layers());
  writeFileSync(
    at.join('rootfs.tar'),
    tarArchive([
      { name: 'etc/', type: '5' },
      { name: 'etc/name', data: 'imported', mtime: 1_000_000 },
    ]),
  );
  for (const file of ['layout', 'rootfs.tar']) spawnSync('chmod', ['-R', 'a+rX', at.join(file)]);
  const root = path.join(who.home, 'store');
  const worker = new StoreWorker(who, root);
  const load = `await store.load(${JSON.stringify(at.join('layout'))}, { name: 'app' }); await store.import(${JSON.stringify(at.join('rootfs.tar'))}, 'imported');`;
  await worker.get(`process.env.SOURCE_DATE_EPOCH = '1'; ${load}`);
  return { root, worker, load };
}

interface Walked {
  readonly root: string;
  readonly worker: StoreWorker;
  readonly load: string;
  readonly before: readonly string[];
}

/** After damage: check finds it and names it. Repair, and the same load as before, end in the same store. */
async function tryOne(each: Case, { root, worker, load, before }: Walked): Promise<void> {
  for (const options of ['{ quick: true }', '{}']) {
    const { problems } = await worker.get<Checked>(CHECK(options));
    if (!isHarmless(each)) expect([options, problems.length > 0, names(problems, each.file)]).toEqual([options, true, true]);
  }
  await worker.get(CHECK('{ repair: true }'));
  await worker.get(load);
  // What is for a stack alone is made by the next run.
  await worker.get(`await store.resolve('app'); await store.resolve('imported'); await store.sweep();`);
  expect((await worker.get<Checked>(CHECK('{}'))).problems).toEqual([]);
  expect(await describe(root)).toEqual(before);
}

for (const [name, make] of Object.entries(USERS))
  test(`a check as ${name} finds what is damaged, and repair and load end in the store as it was`, { timeout: ALL ? 14_400_000 : 300_000 }, async (context) => {
    requiresRoot(context);
    requiresProgram(context, 'setfattr');
    await using at = scratch('tmpfs');
    const who = make(at);
    who.require(context);
    const { root, worker, load } = await prepared(at, who);
    await using _worker = worker;
    const before = await describe(root);
    expect((await worker.get<Checked>(CHECK('{}'))).problems).toEqual([]);
    const cases = casesIn(root);
    const count = ALL ? cases.length : name === 'root' ? SHORT.root : SHORT.others;
    let done = 0;
    const failures: string[] = [];
    for (const each of mixed(cases)) {
      if (done === count) break;
      const file = path.join(root, each.file);
      if (!lstatSync(file, { throwIfNoEntry: false }) || !each.damage.do(file, who.uid)) continue;
      done++;
      try {
        await tryOne(each, { root, worker, load, before });
      } catch (error) {
        failures.push(`${each.file}, ${each.damage.name}: ${(error as Error).message}`);
        // A long walk is not waited for to see this.
        process.stderr.write(`damage walk as ${name}: ${failures.at(-1)}\n`);
        // The others are tried all the same, on a store that is as it was.
        spawnSync('rm', ['-rf', root]);
        await worker.get(load);
      }
    }
    process.stderr.write(`damage walk as ${name}: ${done} of ${cases.length} cases\n`);
    expect(failures).toEqual([]);
    expect(done).toBeGreaterThan(0);
  });

/** Whether a problem says which object it is: by its path, its digest, or its path in a layer. */
function names(problems: Checked['problems'], file: string): boolean {
  const [, id, inTree] = /^(?:layers|chains|rebased|images\/blobs\/sha256)\/([0-9a-f]{64})(?:\/fs\/(.*))?/.exec(file) ?? [];
  return problems.some((each) => {
    if (id === undefined) return each.what.endsWith(file) || each.what.includes(path.basename(file)) || /^(?:images|layers)/.test(file);
    // A rebased layer's files are those of the layers below, too.
    if (!file.startsWith('rebased/') && !each.what.includes(id) && !each.problem.includes(id)) return false;
    const told = each.differences?.first.map((difference) => difference.path) ?? [];
    return (
      inTree === undefined ||
      !told.length ||
      file.startsWith('rebased/') ||
      told.some((one) => one === inTree || inTree.startsWith(`${one}/`) || one.startsWith(inTree) || one === '.')
    );
  });
}

test('what a container wrote is never touched, and a damaged record of it is named', { timeout: ALL ? 3_600_000 : 300_000 }, async (context) => {
  requiresRoot(context);
  await using at = scratch('tmpfs');
  const who = USERS.root(at);
  const { root, worker } = await prepared(at, who);
  await using _worker = worker;
  const id = await worker.get<string>(`return (await containers.create({ image: 'app', name: 'web', args: ['true'] })).id;`);
  const directory = path.join(root, 'containers', id);
  writeFileSync(path.join(directory, 'upper/mine'), 'not to be lost');
  writeFileSync(path.join(directory, 'log'), '2026-01-01T00:00:00.000000000Z stdout F a line\n'.repeat(3));
  writeFileSync(path.join(directory, 'state'), '{"pid":1,"restarts":0,"started":1,"startedNs":0,"boot":"x"}');
  expect((await worker.get<Checked>(CHECK('{}'))).problems).toEqual([]);
  cpSync(directory, at.join('backup'), { recursive: true, preserveTimestamps: true });
  const backup = (file: string): string => at.join('backup', file);
  const cases = ['config.json', 'layers', 'lock', 'kept', 'log', 'state'].flatMap((file) => DAMAGES.map((damage) => ({ file, damage })));
  let left = ALL ? cases.length : SHORT.containers;
  for (const { file, damage } of mixed(cases)) {
    if (left-- === 0) break;
    const what = `${file}, ${damage.name}`;
    if (!damage.do(path.join(directory, file), who.uid)) continue;
    const isEmpty = lstatSync(backup(file)).size === 0;
    const unknown =
      // Records of what is over need not be there, and a byte of what a program wrote can be any.
      (['state', 'log'].includes(file) && /deleted|emptied|empty file|flipped/.test(damage.name)) || (isEmpty && damage.name === 'an empty file in its place');
    const { problems } = await worker.get<Checked>(CHECK('{ quick: true }'));
    if (!unknown) expect([what, problems.some((each) => each.what.includes(id))]).toEqual([what, true]);
    for (const problem of problems) expect([what, problem.repaired ?? problem.hint]).toEqual([what, expect.any(String)]);
    // Nothing else breaks on it, either: a list of all is had, and the other images are.
    await worker.get(`await containers.list(); await store.list(); await store.prune();`);
    await worker.get(CHECK('{ quick: true, repair: true }'));
    await worker.get(CHECK('{ quick: true, force: true }'));
    expect([what, readFileSync(path.join(directory, 'upper/mine'), 'utf8')]).toEqual([what, 'not to be lost']);
    spawnSync('rm', ['-rf', path.join(directory, file)]);
    cpSync(backup(file), path.join(directory, file), { preserveTimestamps: true });
    chmodSync(path.join(directory, file), 0o600);
    chownSync(path.join(directory, file), 0, 0);
  }
  expect((await worker.get<Checked>(CHECK('{}'))).problems).toEqual([]);
});

test('a layer is unpacked anew beside a container that runs on it, which goes on; what it stands on goes when it ends', {
  timeout: 300_000,
}, async (context) => {
  requiresRoot(context);
  await using at = scratch();
  const store = cli(at.join('store'));
  const well = (args: readonly string[]): string => {
    const { status, stdout, stderr } = store(args);
    expect([args, status, stderr]).toEqual([args, 0, expect.any(String)]);
    return stdout;
  };
  well(['import', busyboxArchive(), 'base']);
  well(['run', '-d', '--name', 'live', 'base', 'sleep', '100000']);
  const layers = at.join('store/layers');
  const [layer = ''] = readdirSync(layers);
  chmodSync(path.join(layers, layer, 'fs/etc/group'), 0o600);
  expect(well(['system', 'check', '--repair'])).toContain('etc/group has another mode (unpacked anew)');
  expect(well(['exec', 'live', 'stat', '-c', '%a', '/etc/group'])).toBe('600\n');
  expect(well(['run', 'base', 'stat', '-c', '%a', '/etc/group'])).toBe('644\n');
  // The old tree is the container's, and no problem.
  expect(readdirSync(layers)).toHaveLength(2);
  well(['system', 'check']);
  well(['rm', '-f', 'live']);
  well(['sweep']);
  expect(readdirSync(layers)).toEqual([layer]);
});
