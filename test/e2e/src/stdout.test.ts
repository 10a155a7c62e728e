import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { Containers, ImageStore } from '@lamella/engine';
import { busyboxArchive, findProgram, OCI_RUNTIME, type Registry, requiresRoot, type ScratchDirectory, scratch, startRegistry } from '@lamella-test/scratch';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { CLI } from './cli.js';
import { commands, fresh, NOT_PRINTING, OTHERS, PRINTING, type World } from './every-command.js';

const long = process.env.LAMELLA_LONG === '1';
const MANIFEST = path.join(path.dirname(CLI), '../oclif.manifest.json');

let at: ScratchDirectory;
let world: World;
let registry: Registry | undefined;

beforeAll(async () => {
  if (process.geteuid?.() !== 0) return;
  at = scratch();
  const program = findProgram('docker-registry');
  registry = program ? await startRegistry(program, at.join('registry')) : undefined;
  const images = new ImageStore(at.join('store'));
  await images.import(busyboxArchive(), 'busybox');
  if (registry) {
    await images.tag('busybox', `${registry.host}/app`);
    await images.push(`${registry.host}/app`);
  }
  world = { containers: new Containers(at.join('store')), images, image: 'busybox', archive: busyboxArchive(), directory: at.path, registry: registry?.host };
});
beforeEach((context) => requiresRoot(context));
afterAll(async () => {
  if (!at) return;
  for (const { id } of await world.containers.list()) await (await world.containers.get(id)).remove({ force: true });
  await registry?.[Symbol.asyncDispose]();
  await at[Symbol.asyncDispose]();
});

interface Ended {
  readonly status: number | null;
  readonly stderr: string;
}

/** How stdout fails, what is said then, and the status. */
const SINKS = {
  'a full disk': { said: /^lamella: cannot write to stdout: no space left on the device \(ENOSPC\)\n$/, status: 125 },
  'a pipe that nobody reads': { said: /^$/, status: 141 },
  'a closed descriptor': { said: /^lamella: cannot write to stdout: the descriptor is closed \(EBADF\)\n$/, status: 125 },
} as const;
type Sink = keyof typeof SINKS;

/** A program whose stdout is one of these. */
async function into(sink: Sink, program: readonly string[]): Promise<Ended> {
  const redirection = { 'a full disk': '>/dev/full', 'a pipe that nobody reads': '', 'a closed descriptor': '>&-' }[sink];
  const env = {
    ...process.env,
    LAMELLA_ROOT: at.join('store'),
    LAMELLA_NODE: process.execPath,
    NODE_NO_WARNINGS: '1',
    XDG_DATA_HOME: at.join('data'),
    XDG_CONFIG_HOME: at.join('config'),
    XDG_CACHE_HOME: at.join('cache'),
    HOME: at.path,
  };
  const child: ChildProcess = spawn('sh', ['-c', `exec "$@" ${redirection}`, 'sh', ...program], { env, stdio: ['pipe', 'pipe', 'pipe'] });
  child.stdin?.end('password\n');
  child.stdout?.destroy();
  const [stderr, [status]] = await Promise.all([text(child.stderr as NodeJS.ReadableStream), once(child, 'close') as Promise<[number | null]>]);
  return { status, stderr };
}

const lamella = (sink: Sink, args: readonly string[]): Promise<Ended> => into(sink, [CLI, ...args]);

/** Notes, such as what an archive had in it that was left out, come before. */
function expected(sink: Sink, { status, stderr }: Ended, about: string): void {
  const own = stderr.replace(/^lamella: note: .*\n/gm, '');
  expect({ about, status, said: SINKS[sink].said.test(own) ? 'as it should' : stderr }).toEqual({ about, status: SINKS[sink].status, said: 'as it should' });
}

/** Several at once, as many as there are processors. */
async function all<Item>(items: readonly Item[], act: (item: Item) => Promise<void>): Promise<void> {
  const waiting = [...items];
  const worker = async (): Promise<void> => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await act(item);
  };
  await Promise.all(Array.from({ length: 3 }, worker));
}

test('each command is in the matrix', () => {
  const known = commands(MANIFEST).map(({ id }) => id);
  expect([...Object.keys(PRINTING), ...Object.keys(NOT_PRINTING)].sort()).toEqual([...known].sort());
});

test('each command ends with a status and at most one line where stdout takes nothing', { timeout: 600_000 }, async () => {
  const sinks = Object.keys(SINKS) as Sink[];
  // In the short form one way of failing for each command, which meets all three with its kin.
  const cases = commands(MANIFEST).flatMap(({ id, json }, i) =>
    sinks.flatMap((sink, j) =>
      [false, true].map((asJson, k) => ({ id, sink, asJson, chosen: (i + j) % 3 === 0 && k === 0, possible: PRINTING[id] && (json || !asJson) })),
    ),
  );
  await all(
    cases.filter(({ possible, chosen }) => possible && (long || chosen)),
    async ({ id, sink, asJson }) => {
      const words = await PRINTING[id]?.(world);
      // Data has no other form.
      if (!words || (asJson && ['save', 'export', 'cp'].includes(id))) return;
      const args = asJson ? [...words, '--json'] : words;
      // Flags come before the image.
      const line = asJson && ['run', 'create'].includes(id) ? [...words.slice(0, 1), '--json', ...words.slice(1)] : args;
      if (id === 'run' && asJson) return;
      expected(sink, await lamella(sink, line), `${line.join(' ')} into ${sink}`);
    },
  );
});

test('what oclif and its plugins print is no exception', { timeout: 120_000 }, async () => {
  const sinks = Object.keys(SINKS) as Sink[];
  const cases = OTHERS.flatMap((args, i) => sinks.map((sink, j) => ({ args, sink, chosen: (i + j) % 3 === 0 })));
  await all(
    cases.filter(({ chosen }) => long || chosen),
    async ({ args, sink }) => expected(sink, await lamella(sink, args), `${args.join(' ')} into ${sink}`),
  );
});

test('a container that writes more than anybody reads ends attach, and goes on', async () => {
  const id = await fresh({ ...world, script: 'true' }, 'created');
  for (const sink of ['a full disk', 'a pipe that nobody reads'] as const) {
    const { containers } = world;
    const { container } = await containers.run({ image: 'busybox', args: ['sh', '-c', 'while sleep 0.05; do echo more; done'] });
    expected(sink, await lamella(sink, ['attach', '--no-stdin', container.id]), `attach into ${sink}`);
    expect((await container.state()).status).toBe('running');
  }
  expected('a full disk', await lamella('a full disk', ['run', '--json', 'busybox', 'echo', 'x']), 'run --json');
  expected('a full disk', await lamella('a full disk', ['run', '-d', 'busybox', 'true']), 'run -d');
  expect((await (await world.containers.get(id)).state()).status).toBe('created');
});

test('large data into a pipe that is closed in the middle is no error of ours', async () => {
  for (const words of [
    ['save', 'busybox'],
    ['export', await fresh(world, 'ended')],
  ]) {
    const child = spawn('bash', ['-c', `"$@" | head -c 100000 | wc -c; echo "\${PIPESTATUS[0]}"`, 'bash', CLI, ...words], {
      env: { ...process.env, LAMELLA_ROOT: at.join('store'), LAMELLA_NODE: process.execPath, NODE_NO_WARNINGS: '1' },
    });
    const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
    expect({ stdout, stderr }).toEqual({ stdout: '100000\n141\n', stderr: '' });
  }
});

test('where stderr takes nothing either, the status is what it would be', async () => {
  for (const [words, status] of [
    [['ps', '--nonsense'], 125],
    [['inspect', 'nothing'], 125],
    [['run', 'busybox', 'nonsense'], 127],
    [['ps'], 125],
  ] as const) {
    const child = spawn('sh', ['-c', 'exec "$@" >/dev/full 2>/dev/full', 'sh', CLI, ...words], {
      env: { ...process.env, LAMELLA_ROOT: at.join('store'), LAMELLA_NODE: process.execPath, NODE_NO_WARNINGS: '1' },
      stdio: 'ignore',
    });
    expect([words.join(' '), ...((await once(child, 'close')) as [number])].slice(0, 2)).toEqual([words.join(' '), status]);
  }
});

test('lamella-oci does the same', async () => {
  for (const sink of Object.keys(SINKS) as Sink[])
    for (const words of long
      ? [['--version'], ['--help'], ['features'], ['list'], ['list', '--format', 'json'], ['list', '--help']]
      : [['features'], ['list']]) {
      const { status, stderr } = await into(sink, [OCI_RUNTIME, '--root', at.join('oci'), ...words]);
      expect([sink, words.join(' '), status]).toEqual([sink, words.join(' '), SINKS[sink].status === 141 ? 141 : 1]);
      expect(stderr).toMatch(sink === 'a pipe that nobody reads' ? /^$/ : /^lamella-oci: cannot write to stdout: E[A-Z]+\n$/);
    }
});
