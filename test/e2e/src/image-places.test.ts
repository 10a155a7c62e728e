import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { idMapping } from '@lamella/syscall';
import { busyboxArchive, findProgram, requiresProgram, type ScratchDirectory, scratch, skip } from '@lamella-test/scratch';
import { ociLayout, savedArchive, savedImages, tarArchive } from '@lamella-test/tree';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { CLI, cli } from './cli.js';
import { requiresContainers } from './rights.js';

let at: ScratchDirectory;
let lamella: ReturnType<typeof cli>;
beforeAll(() => {
  at = scratch();
  lamella = cli(at.join('store'));
  ociLayout(at.join('layout'), [readFileSync(busyboxArchive())], { config: { Cmd: ['echo', 'from the image'], Volumes: { '/data/own': {}, '/tmp': {} } } });
  execFileSync('cp', [busyboxArchive(), at.join('rootfs.tar')]);
  execFileSync('gzip', ['-k', at.join('rootfs.tar')]);
  expect(lamella(['load', at.join('layout'), 'named'])).toMatchObject({ status: 0 });
  for (const format of ['docker-archive', 'oci-archive'])
    expect(lamella(['save', 'named', '--format', format, '-o', at.join(`${format}.tar`)])).toMatchObject({ status: 0 });
});
afterAll(() => at[Symbol.asyncDispose]());
beforeEach((context) => requiresContainers(context));

test.for<[place: string, args: string[]]>([
  ['./rootfs.tar', ['echo', 'from the image']],
  ['rootfs.tar.gz', ['echo', 'from the image']],
  ['docker-archive.tar', []],
  ['oci-archive.tar', []],
  ['layout', []],
  ['docker-archive:docker-archive.tar', []],
  ['docker-archive:docker-archive.tar:named', []],
  ['oci-archive:oci-archive.tar', []],
  ['oci:layout:latest', []],
])('%s is run, and found unpacked the next time', ([place, args]) => {
  for (const stderr of [expect.any(String), ''])
    expect(lamella(['run', place, ...args], { cwd: at.path })).toEqual({ status: 0, stdout: 'from the image\n', stderr });
});

test('a file is not even opened again until it changes', (context) => {
  const strace = requiresProgram(context, 'strace');
  if (idMapping().kind === 'full') skip(context, 'newuidmap(1) has no rights under strace');
  const file = at.join('once.tar.gz');
  execFileSync('cp', [at.join('rootfs.tar.gz'), file]);
  const opened = (): boolean => {
    const traced = ['-f', '-e', 'trace=openat', '-o', at.join('trace'), process.execPath, CLI, 'run', file, 'echo', 'ran'];
    expect(
      execFileSync(strace, traced, { encoding: 'utf8', env: { ...process.env, LAMELLA_ROOT: at.join('store') }, stdio: ['ignore', 'pipe', 'ignore'] }),
    ).toBe('ran\n');
    return readFileSync(at.join('trace'), 'utf8').includes('once.tar.gz');
  };
  expect([opened(), opened()]).toEqual([true, false]);
  writeFileSync(file, 'no archive any more');
  expect(lamella(['run', file, 'true'])).toMatchObject({ status: 125, stderr: expect.stringContaining('ends in the middle') });
});

test('dir:, as skopeo writes it, is run', (context) => {
  const skopeo = findProgram('skopeo') ?? skip(context, 'skopeo is not installed');
  execFileSync(skopeo, ['copy', `oci:${at.join('layout')}:latest`, `dir:${at.join('directory')}`], { stdio: 'pipe' });
  expect(lamella(['run', `dir:${at.join('directory')}`])).toMatchObject({ status: 0, stdout: 'from the image\n' });
  expect(lamella(['run', at.join('directory')])).toMatchObject({ status: 0, stdout: 'from the image\n' });
});

test('a name comes before a file without a path, and what is no archive is none', () => {
  writeFileSync(at.join('named'), 'not an archive');
  mkdirSync(at.join('missing'));
  expect(lamella(['run', 'named'], { cwd: at.path })).toMatchObject({ status: 0, stdout: 'from the image\n' });
  expect(lamella(['run', '--pull', 'never', 'missing'], { cwd: at.path })).toMatchObject({
    status: 125,
    stderr: expect.stringContaining("no image 'missing'"),
  });
  expect(lamella(['run', './missing'], { cwd: at.path })).toMatchObject({ status: 125, stderr: expect.stringContaining('missing') });
  expect(lamella(['run', './named'], { cwd: at.path })).toMatchObject({ status: 125, stderr: expect.stringContaining('named') });
  expect(lamella(['run', './nothing'], { cwd: at.path })).toMatchObject({ status: 125, stderr: expect.stringContaining('ENOENT') });
  expect(lamella(['run', 'docker-archive:docker-archive.tar:other'], { cwd: at.path })).toMatchObject({
    status: 125,
    stderr: expect.stringContaining("no image 'other'"),
  });
});

test("a root filesystem's tar is loaded when it is given a name", () => {
  expect(lamella(['load', at.join('rootfs.tar')])).toMatchObject({ status: 125, stderr: expect.stringContaining('lamella import') });
  expect(lamella(['load', at.join('rootfs.tar'), 'plain:v1']).stdout).toMatch(/^plain:v1 sha256:/);
  expect(lamella(['run', 'docker://plain:v1', 'echo', 'x'])).toEqual({ status: 0, stdout: 'x\n', stderr: '' });
});

test("an image's volumes are there, and writable in a read-only root", () => {
  const script = 'touch /data/own/a /tmp/b && ls /data/own /tmp; touch /c; touch /data/d';
  expect(lamella(['run', '--read-only', 'named', 'sh', '-c', script])).toEqual({
    status: 1,
    stdout: '/data/own:\na\n\n/tmp:\nb\n',
    stderr: 'touch: /c: Read-only file system\ntouch: /data/d: Read-only file system\n',
  });
  expect(lamella(['run', 'named', 'ls', '/data/own', '/tmp'])).toEqual({ status: 0, stdout: '/data/own:\n\n/tmp:\n', stderr: '' });
});

test('of several images in one archive those that are whole are loaded, by all names, and the others are named', () => {
  const layer = (name: string): Buffer => tarArchive([{ name, data: name }]);
  const images = [
    { layers: [layer('one')], names: ['docker.io/library/one:1', 'reg.example.com/one:2'] },
    { layers: [layer('two')], names: ['docker.io/library/two:1'] },
    { layers: [layer('three')], names: [] },
  ];
  const whole = savedImages(images, 'docker-25');
  const load = (files: ReadonlyMap<string, Uint8Array>, ...args: string[]): ReturnType<typeof lamella> => {
    writeFileSync(at.join('several.tar'), savedArchive(files));
    return lamella(['load', '-i', at.join('several.tar'), ...args]);
  };
  const digest = 'sha256:[0-9a-f]{64} \\(1 layers, \\d new\\)\n';
  const [one, two, three] = ['one:1 reg\\.example\\.com/one:2', 'two:1', 'localhost/loaded:[0-9a-f]{12}'].map((name) => `${name} ${digest}`);
  const all = load(whole);
  expect(all).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(new RegExp(`^${one}${two}${three}$`)),
    stderr: expect.stringContaining('lamella tag localhost/loaded:'),
  });
  const broken = new Map([...whole].filter(([, content]) => content.compare(layer('two')) !== 0));
  expect(broken.size).toBe(whole.size - 1);
  const some = load(broken);
  // What is in the store already is not needed again.
  expect(some.status).toBe(0);
  for (const name of ['one:1', 'reg.example.com/one:2', 'two:1']) expect(lamella(['rmi', name])).toMatchObject({ status: 0 });
  const rest = load(broken);
  expect(rest).toMatchObject({ status: 125, stdout: expect.stringMatching(new RegExp(`^${one}${three}$`)) });
  expect(rest.stderr).toMatch(/1 of 3 images could not be loaded: 'docker.io\/library\/two:1': .* has no blobs\/sha256\//);
  const json = load(broken, '--json');
  expect(json.status).toBe(125);
  expect(
    json.stdout
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { event?: string }).event),
  ).toEqual(expect.arrayContaining(['done', 'done']));
});
