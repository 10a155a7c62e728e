import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { Containers, createContainer, type DetachedSpec, type StoredContainer } from '@lamella/engine';
import { ImageStore } from '@lamella/image';
import { busyboxArchive, type DockerDaemon, dockerDaemon, requiresRoot, type ScratchDirectory, scratch, skip } from '@lamella-test/scratch';
import { describeTree, treeLines } from '@lamella-test/tree';
import { afterAll, beforeAll, expect, type TestContext, test } from 'vitest';
import { IN, INSIDE, isQuick, OUT, TARGETS, TO_STDOUT } from './copy-cases.js';
import { PROBE, REFUSED, SHOWN, SHOWN_AT } from './volume-cases.js';

const APP = path.dirname(createRequire(import.meta.url).resolve('lamella/package.json'));

interface CopyFlags {
  readonly archive: boolean;
  readonly followLink: boolean;
}
type Copy = (container: StoredContainer, source: string, destination: string, flags: CopyFlags) => Promise<void>;

/** What became of a case: whether it went well, and what is there then. Times are not compared. */
interface Became {
  readonly done: boolean;
  readonly tree: readonly string[];
}

/** One of the two who copy. */
interface Copier {
  /** @param words of the command line after `cp` @param cwd of the host */
  cp(words: readonly string[], cwd: string): Promise<boolean>;
  exec(script: string): void;
}

const cases = (table: typeof OUT): readonly (readonly string[])[] => {
  const all = table.flatMap(([source, ...destinations]) => destinations.map((destination) => [...source.split(' '), destination]));
  return process.env.LAMELLA_LONG ? all : all.filter((_, i) => isQuick(i));
};

const lines = async (directory: string): Promise<readonly string[]> => treeLines(await describeTree(directory), { without: ['mtime', 'sparse', 'xattrs'] });

/** Copies out of a container, each case into a separate directory. */
async function outs({ cp }: Copier, top: string): Promise<readonly Became[]> {
  return inTwos(cases(OUT), async (words, i) => {
    const cwd = path.join(top, `${i}`);
    mkdirSync(cwd, { recursive: true });
    execFileSync('sh', ['-c', TARGETS], { cwd });
    return { done: await cp(words, cwd), tree: await lines(cwd) };
  });
}

/** Copies into the container, each case into a separate directory. The host sees the results. */
async function ins({ cp, exec }: Copier, top: string): Promise<readonly Became[]> {
  const all = cases(IN);
  mkdirSync(path.join(top, 'from'), { recursive: true });
  execFileSync('sh', ['-c', TARGETS], { cwd: path.join(top, 'from') });
  exec(all.map((_, i) => `mkdir -p /c/${i}; cd /c/${i}; ${TARGETS}`).join('\n'));
  const done = await inTwos(all, (words, i) => cp([...words.slice(0, -1), `C:/c/${i}/${words.at(-1)}`], path.join(top, 'from')));
  await cp(['C:/c', '.'], top);
  return Promise.all(done.map(async (each, i) => ({ done: each, tree: await lines(path.join(top, 'c', `${i}`)) })));
}

/** The machine has two processors at least. */
async function inTwos<Item, Result>(items: readonly Item[], each: (item: Item, i: number) => Promise<Result>): Promise<Result[]> {
  const results: Result[] = [];
  const turns = items.entries();
  const work = async (): Promise<void> => {
    for (const [i, item] of turns) results[i] = await each(item, i);
  };
  await Promise.all([work(), work()]);
  return results;
}

let at: ScratchDirectory;
let daemon: DockerDaemon | string = 'it needs root';

beforeAll(async () => {
  at = scratch();
  if (process.geteuid?.() !== 0) return;
  daemon = await dockerDaemon(at);
  if (typeof daemon !== 'string') execFileSync('docker', ['import', busyboxArchive(), IMAGE], { env: daemon.env });
});

afterAll(async () => {
  if (typeof daemon !== 'string') {
    if (!daemon.own) spawnSync('docker', ['rmi', IMAGE], { env: daemon.env });
    await daemon.close();
  }
  await at[Symbol.asyncDispose]();
});

const IMAGE = 'lamella-test-busybox';

test('cp does what docker cp does', { timeout: 300_000 }, async (context: TestContext) => {
  requiresRoot(context);
  if (typeof daemon === 'string') return skip(context, daemon);
  const { env } = daemon;
  const docker = (...args: string[]): string => execFileSync('docker', args, { env, encoding: 'utf8' });
  const id = docker('create', '--network', 'none', IMAGE, 'sh', '-c', `${INSIDE}\necho ready; exec sleep 1000`).trim();
  try {
    docker('start', id);
    until(() => docker('logs', id).includes('ready'));
    const theirs: Copier = {
      exec: (script) => void execFileSync('docker', ['exec', '-i', id, 'sh'], { env, input: script }),
      cp: (words, cwd) => succeeds('docker', ['cp', ...words.map((word) => word.replace(/^C:/, `${id}:`))], cwd, env),
    };
    await using ours = await copier(at.join('store'));
    const [their, our] = [await outs(theirs, at.join('out-docker')), await outs(ours, at.join('out'))];
    for (const [i, words] of cases(OUT).entries()) expect({ words, ...our[i] }).toEqual({ words, ...their[i] });
    expect(new Set(their.map(({ done }) => done))).toEqual(new Set([true, false]));
    const [theirIn, ourIn] = [await ins(theirs, at.join('in-docker')), await ins(ours, at.join('in'))];
    for (const [i, words] of cases(IN).entries()) expect({ words, ...ourIn[i] }).toEqual({ words, ...theirIn[i] });
    for (const words of TO_STDOUT)
      expect([words, names(...ours.command(words))]).toEqual([words, names('docker', ['cp', ...words.replace('C:', `${id}:`).split(' '), '-'], env)]);
  } finally {
    docker('rm', '-f', id);
  }
});

test('volumes are what docker shows', { timeout: 120_000 }, async (context: TestContext) => {
  requiresRoot(context);
  if (typeof daemon === 'string') return skip(context, daemon);
  const { env } = daemon;
  for (const name of ['A/with,comma', 'B/b', 'ETC']) mkdirSync(at.join('volumes', name), { recursive: true });
  for (const name of ['A/one', 'B/two', 'A/with,comma/three', 'F', 'ETC/passwd', 'ETC/own']) writeFileSync(at.join('volumes', name), `${name}\n`);
  const placed = (words: string): string[] =>
    words.split(' ').map((word) => word.replaceAll(/(^|=)(A|B|F|ETC)(?=[/:,]|$)/g, (_, before, name) => before + at.join('volumes', name)));
  const store = at.join('volumes-store');
  await new ImageStore(store).import(busyboxArchive(), IMAGE);
  const both = (words: readonly string[], command: readonly string[]): readonly string[] =>
    [
      spawnSync('docker', ['run', '--rm', '--network', 'none', ...words, IMAGE, ...command], { env, encoding: 'utf8' }),
      spawnSync(path.join(APP, 'bin/lamella'), ['run', ...words, IMAGE, ...command], { env: environment(store), encoding: 'utf8' }),
    ].map(({ status, stdout, stderr }) => `${stdout}${status} ${stderr}`);

  const [theirs, ours] = both(SHOWN.flatMap(placed), ['sh', '-c', PROBE, 'sh', ...SHOWN_AT]);
  expect(ours).toBe(theirs);
  expect(theirs).toMatch(/0 $/);
  // A directory on /etc has the container's own files on it. Docker makes what is missing of them there, and so do we.
  const [theirEtc, ourEtc] = both(placed('-v ETC:/etc'), ['sh', '-c', 'ls /etc; cat /etc/own; head -n 1 /etc/hosts; test -s /etc/hostname && echo named']);
  expect(ourEtc).toBe(theirEtc);
  expect(readdirSync(at.join('volumes/ETC'))).toEqual(['hostname', 'hosts', 'own', 'passwd', 'resolv.conf']);

  const { buildRunSpec } = (await import(path.join(APP, 'dist/run-flags/run-spec.js'))) as { buildRunSpec: (line: unknown) => Promise<DetachedSpec> };
  const { parseRun } = (await import(path.join(APP, 'dist/run-flags/parse-run.js'))) as { parseRun: (words: readonly string[]) => Promise<unknown> };
  const create = async (words: readonly string[]): Promise<StoredContainer> =>
    new Containers(store).create(await buildRunSpec(await parseRun([...words, IMAGE, 'true'])));
  for (const words of REFUSED) {
    const { status } = spawnSync('docker', ['create', ...placed(words), IMAGE, 'true'], { env, stdio: 'ignore' });
    expect([words, status === 0]).toEqual([words, false]);
    await expect(create(placed(words)), words).rejects.toMatchObject({ code: expect.any(String), hint: expect.stringMatching(/./) });
  }
  // What does not fit is seen when it starts.
  for (const words of ['-v F:/etc', '-v A:/bin/sh', '-v F:/dev/shm']) {
    await using container = await createContainer({ ...(await buildRunSpec(await parseRun([...placed(words), IMAGE, 'true']))), root: store });
    await expect(container.result, words).rejects.toMatchObject({ code: 'MOUNT_TARGET_INVALID' });
  }
});

/** Members of an archive, sorted; undefined when the command fails. */
function names(command: string, args: readonly string[], env: NodeJS.ProcessEnv): readonly string[] | undefined {
  const { status, stdout } = spawnSync(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  if (status !== 0) return undefined;
  return execFileSync('tar', ['-tf', '-'], { input: stdout, encoding: 'utf8' }).split('\n').sort();
}

/** By the functions of the command, in this process: starting the command for each would take the most time. */
async function copier(root: string): Promise<Copier & AsyncDisposable & { command(words: string): readonly [string, readonly string[], NodeJS.ProcessEnv] }> {
  const { copyFromContainer } = (await import(path.join(APP, 'dist/copy/copy-out.js'))) as { copyFromContainer: Copy };
  const { copyToContainer } = (await import(path.join(APP, 'dist/copy/copy-in.js'))) as { copyToContainer: Copy };
  await new ImageStore(root).import(busyboxArchive(), 'busybox');
  const { container } = await new Containers(root).run({ image: 'busybox', args: ['sh', '-c', `${INSIDE}\n>/ready; exec sleep 1000`] });
  const exec = async (script: string): Promise<void> => {
    expect(await (await container.exec({ args: ['sh', '-c', script] })).result).toMatchObject({ exitCode: 0 });
  };
  await exec('until test -e /ready; do sleep 0.02; done');
  return {
    exec: (script) => void execFileSync(path.join(APP, 'bin/lamella'), ['exec', '-i', container.id, 'sh'], { env: environment(root), input: script }),
    async cp(words, cwd) {
      const [destination = '', source = '', flag] = words.toReversed();
      const flags = { archive: flag === '-a', followLink: flag === '-L' };
      const local = (word: string): string => (path.isAbsolute(word) ? word : `${cwd}/${word}`);
      try {
        if (source.startsWith('C:')) await copyFromContainer(container, source.slice(2), local(destination), flags);
        else await copyToContainer(container, local(source), destination.slice(2), flags);
        return true;
      } catch (error) {
        expect(error).toMatchObject({ code: expect.any(String), hint: expect.stringMatching(/./) });
        return false;
      }
    },
    command: (words) => [path.join(APP, 'bin/lamella'), ['cp', ...words.replace('C:', `${container.id}:`).split(' '), '-'], environment(root)],
    async [Symbol.asyncDispose]() {
      await container.remove({ force: true });
    },
  };
}

function environment(root: string): NodeJS.ProcessEnv {
  return { ...process.env, LAMELLA_NODE: process.execPath, LAMELLA_ROOT: root, NODE_NO_WARNINGS: '1' };
}

function succeeds(command: string, args: readonly string[], cwd: string, env: NodeJS.ProcessEnv): Promise<boolean> {
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  spawn(command, args, { cwd, env, stdio: 'ignore' })
    .on('error', reject)
    .on('exit', (status) => resolve(status === 0));
  return promise;
}

function until(isDone: () => boolean): void {
  while (!isDone()) spawnSync('sleep', ['0.05']);
}
