import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { busyboxArchive, mountsBelow, requiresProgram, requiresRoot, type ScratchDirectory, scratch } from '@lamella-test/scratch';
import { describeTree, treeLines } from '@lamella-test/tree';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CLI, cli } from './cli.js';
import { type Terminal, terminal } from './terminal.js';

/** The tutorial, section 3, step by step: from inside, in a real terminal, and from the host's side. */
let at: ScratchDirectory;
let shell: Terminal;
let image: string[];
const listing = (): string => readdirSync(at.join('work')).sort().join(' ');

beforeAll(() => {
  at = scratch();
  mkdirSync(at.join('work'));
  copyFileSync(busyboxArchive(), at.join('work/busybox.tar'));
});
afterAll(async () => {
  shell?.close();
  await at[Symbol.asyncDispose]();
});

test('1. a directory with nothing but busybox.tar becomes image, upper, work and merged, and a shell', async (context) => {
  requiresRoot(context);
  shell = terminal(
    requiresProgram(context, 'tmux'),
    `${process.execPath} ${CLI} run --workspace ${at.join('work')} --root ${at.join('store')} -it busybox /bin/sh`,
  );
  await shell.until(/\/ # $/);
  expect(listing()).toBe('busybox busybox.tar merged upper work');
  expect(mountsBelow(at.join('work'))).toEqual([at.join('work/merged')]);
  image = treeLines(await describeTree(at.join('work/busybox')));
});

test('2. inside it is process 1 of its own, with its own root', async (context) => {
  requiresRoot(context);
  shell.type('echo "I am $$"; ls /; hostname');
  await shell.until(/I am 1\n/);
  expect(shell.screen()).toMatch(/bin +dev +etc/);
});

test('3. what is written inside is in merged and upper on the host, not in the image', async (context) => {
  requiresRoot(context);
  shell.type('echo hello > /hello.txt && rm /etc/group && echo wrote');
  await shell.until(/\nwrote\n/);
  expect(readFileSync(at.join('work/merged/hello.txt'), 'utf8')).toBe('hello\n');
  expect(readFileSync(at.join('work/upper/hello.txt'), 'utf8')).toBe('hello\n');
  expect((await describeTree(at.join('work/upper'))).get('etc/group')?.type).toBe('character 0:0');
  expect(treeLines(await describeTree(at.join('work/busybox')))).toEqual(image);
});

test('4. what the host writes into merged is seen inside', async (context) => {
  requiresRoot(context);
  spawnSync('sh', ['-c', `echo from-host > ${at.join('work/merged/host.txt')}`]);
  shell.type('cat /host.txt');
  await shell.until(/\nfrom-host\n/);
});

test('5. exit takes upper, work, merged and the mount away; the image stays as it was', async (context) => {
  requiresRoot(context);
  shell.type('exit 3');
  await shell.until(/status 3/);
  expect(listing()).toBe('busybox busybox.tar');
  expect(mountsBelow(at.path)).toEqual([]);
  expect(treeLines(await describeTree(at.join('work/busybox')))).toEqual(image);
});

test('6. a second run uses the image again, and sees nothing of the first', (context) => {
  requiresRoot(context);
  const lamella = cli(at.join('store'));
  expect(lamella(['run', '--workspace', at.join('work'), 'busybox', 'sh', '-c', 'ls /hello.txt; wc -l < /etc/group'])).toMatchObject({
    stdout: '5\n',
    stderr: expect.stringContaining('No such file'),
  });
  expect(listing()).toBe('busybox busybox.tar');
});
