import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { busyboxArchive, OCI_RUNTIME, ociBundle, requiresRoot, type ScratchDirectory, scratch } from '@lamella-test/scratch';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { CLI, cli } from './cli.js';
import { requiresContainers } from './rights.js';

/** What tries the same in yet another way is for the long suite. */
const inLong = test.runIf(process.env.LAMELLA_LONG);

const MANY = Array.from({ length: 100_000 }, (_, i) => String(i));
const COUNT = ['sh', '-c', 'echo $#', 'sh'];

let at: ScratchDirectory;
let lamella: ReturnType<typeof cli>;
/** 900 kB in ten thousand variables. */
let file: string;
beforeAll(() => {
  at = scratch();
  lamella = cli(at.join('store'));
  file = at.join('variables');
  writeFileSync(file, Array.from({ length: 10_000 }, (_, i) => `V${i}=${'x'.repeat(85)}\n`).join(''));
  expect(lamella(['import', busyboxArchive(), 'busybox'])).toMatchObject({ status: 0 });
});
afterAll(() => at[Symbol.asyncDispose]());
beforeEach((context) => requiresContainers(context));

/** With so many more words, under a limit on the stack, of which the kernel gives a quarter to arguments and environment. */
function within(stack: string, args: readonly string[], count: number): ReturnType<typeof lamella> {
  const env = { ...process.env, LAMELLA_NODE: process.execPath, LAMELLA_ROOT: at.join('store') };
  return spawnSync('sh', ['-c', `ulimit -s ${stack}; exec "$0" "$@" $(seq ${count})`, CLI, ...args], { env, encoding: 'utf8', maxBuffer: 1 << 26 });
}

const fine = (stdout: string): object => ({ status: 0, stdout, stderr: '' });

describe('100,000 arguments', () => {
  test('of run', () => expect(lamella(['run', 'busybox', ...COUNT, ...MANY])).toEqual(fine('100000\n')));
  test('of try', () => expect(lamella(['try', '-n', ...COUNT, ...MANY])).toEqual(fine('100000\n')));
  test('of what runs by itself, and of exec beside it', () => {
    expect(lamella(['run', '-d', '--name', 'many', 'busybox', 'sh', '-c', 'echo $#; exec sleep 1000', 'sh', ...MANY])).toMatchObject({ status: 0 });
    expect(lamella(['exec', 'many', ...COUNT, ...MANY])).toEqual(fine('100000\n'));
    expect(lamella(['logs', 'many'])).toEqual(fine('100000\n'));
    expect(JSON.parse(lamella(['inspect', 'many'], { maxBuffer: 1 << 26 }).stdout)[0].Args).toHaveLength(100_003);
    expect(lamella(['rm', '-f', 'many'])).toMatchObject({ status: 0 });
  });
  inLong('of a command that is missing', () => {
    expect(lamella(['run', 'busybox', 'missing', ...MANY])).toMatchObject({
      status: 127,
      stderr: expect.stringContaining('missing: not found in the container'),
    });
  });
  test('of the OCI runtime', (context) => {
    requiresRoot(context);
    const bundle = ociBundle(at, [OCI_RUNTIME]);
    bundle.configure((config) => {
      config.process.args = [...COUNT, ...MANY];
    });
    expect(bundle.oci('run', 'many')).toMatchObject(fine('100000\n'));
  });
});

describe('900 kB of environment', () => {
  const shown = ['sh', '-c', 'env | grep -c "^V[0-9]*=x*$"'];

  test('of run and exec', () => {
    expect(lamella(['run', '--env-file', file, 'busybox', ...shown])).toEqual(fine('10000\n'));
    expect(lamella(['run', '-d', '--name', 'large', '--env-file', file, 'busybox', 'sleep', '1000'])).toMatchObject({ status: 0 });
    expect(lamella(['exec', 'large', ...shown])).toEqual(fine('10000\n'));
    expect(lamella(['exec', '--env-file', file, 'large', ...shown])).toEqual(fine('10000\n'));
    expect(lamella(['rm', '-f', 'large'])).toMatchObject({ status: 0 });
  });
  inLong('of one that is made, started, and forked', () => {
    expect(lamella(['create', '--name', 'made', '--env-file', file, 'busybox', ...shown])).toMatchObject({ status: 0 });
    expect(lamella(['start', '-a', 'made'])).toEqual(fine('10000\n'));
    expect(lamella(['fork', 'made', 'another'])).toMatchObject({ status: 0 });
    expect(lamella(['run', '--on', 'another', ...shown])).toEqual(fine('10000\n'));
    expect(lamella(['rm', 'made', 'another'])).toMatchObject({ status: 0 });
  });
  test('of this process, that try passes on', () => {
    const env = Object.fromEntries(
      readFileSync(file, 'utf8')
        .split('\n')
        .filter(Boolean)
        .map((line) => line.split('=') as [string, string]),
    );
    expect(lamella(['try', '-n', ...shown], { env })).toEqual(fine('10000\n'));
  });
  test('of the OCI runtime', (context) => {
    requiresRoot(context);
    const bundle = ociBundle(at, [OCI_RUNTIME]);
    bundle.configure((config) => {
      config.process.env.push(...readFileSync(file, 'utf8').split('\n').filter(Boolean));
      config.process.args = shown;
    });
    expect(bundle.oci('run', 'large')).toMatchObject(fine('10000\n'));
  });
});

describe('where the kernel takes no more, that is said', () => {
  test('of all together', () => {
    const { status, stderr } = within('8192', ['run', '--env-file', file, '--env-file', file, '-e', `A=${'y'.repeat(100_000)}`, 'busybox', ...COUNT], 100_000);
    expect({ status, stderr }).toMatchObject({
      status: 125,
      stderr: expect.stringMatching(
        /^lamella: sh: arguments and environment take \d{7} bytes, and the kernel takes a quarter of the limit on the stack \(ulimit -s\), at most 6 MiB\n {2}Pass long data/,
      ),
    });
  });
  inLong('and it is taken under a higher limit', () => {
    expect(within('unlimited', ['run', '--env-file', file, 'busybox', ...COUNT], 200_000)).toMatchObject(fine('200000\n'));
  });
  test('of one string', () => {
    writeFileSync(at.join('long'), `LONG=${'x'.repeat(131_072)}\n`);
    for (const args of [['run'], ['run', '-d'], ['run', '--keep']])
      expect(lamella([...args, '--env-file', at.join('long'), 'busybox', 'true'])).toMatchObject({
        status: 125,
        stderr: expect.stringContaining('the variable LONG has 131077 bytes, and the kernel takes 131071 in one string'),
      });
  });
  test('and more than a program can hold', () => {
    writeFileSync(at.join('huge'), Array.from({ length: 100_000 }, (_, i) => `V${i}=${'x'.repeat(90)}\n`).join(''));
    expect(lamella(['run', '--env-file', at.join('huge'), 'busybox', 'true'])).toMatchObject({
      status: 125,
      stderr: expect.stringMatching(/^lamella: the command is too long: \d{7} bytes, and the limit is 8388608\n {2}Shorten the arguments/),
    });
  });
});
