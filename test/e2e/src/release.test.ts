import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, globSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { interpreterPath } from '@lamella/syscall';
import { scratch } from '@lamella-test/scratch';
import { expect, test } from 'vitest';
import { checkout } from './packed.js';

/** The steps between a checkout and the registry: what turbo caches, and which packages cannot be packed. */
const INIT = `packages/init-linux-${process.arch}`;

interface Manifest {
  readonly private?: boolean;
  readonly scripts?: Readonly<Record<string, string>>;
}
const manifestOf = (directory: string): Manifest => JSON.parse(readFileSync(path.join(directory, 'package.json'), 'utf8')) as Manifest;

test('every package that is published is looked at before it is packed', () => {
  const published = globSync('{packages,apps}/*/package.json', { cwd: checkout })
    .map((file) => path.dirname(path.join(checkout, file)))
    .filter((directory) => !manifestOf(directory).private);
  expect(published.length).toBeGreaterThan(12);
  expect(published.filter((directory) => !manifestOf(directory).scripts?.prepack?.endsWith('node ../../scripts/check-packed.mjs'))).toEqual([]);
});

/** A copy of a package in a checkout with what its prepack calls. @returns how that ends */
function prepack(at: string, directory: string, change: (copy: string) => void): { status: number | null; stderr: string } {
  for (const part of ['scripts', 'packages/syscall/native']) cpSync(path.join(checkout, part), path.join(at, part), { recursive: true });
  const copy = path.join(at, directory);
  cpSync(path.join(checkout, directory), copy, { recursive: true, filter: (file) => !file.includes('node_modules') });
  for (const part of ['dist', 'node_modules', 'package.json'])
    symlinkSync(path.join(checkout, 'packages/syscall', part), path.join(at, 'packages/syscall', part));
  change(copy);
  const bin = path.join(at, 'bin');
  mkdirSync(bin);
  symlinkSync(process.execPath, path.join(bin, 'node'));
  const { status, stderr } = spawnSync('/bin/sh', ['-c', manifestOf(copy).scripts?.prepack ?? 'exit 99'], {
    cwd: copy,
    encoding: 'utf8',
    env: { PATH: bin, LAMELLA_ZIG: path.join(at, 'none') },
  });
  expect(globSync('dist/**/gone.{js,cjs}', { cwd: copy })).toEqual([]);
  return { status, stderr };
}

test.each<[string, string, (copy: string) => void, number, RegExp]>([
  ['a binary that is there', INIT, () => undefined, 0, /^$/],
  ['no binary, and no compiler to make it', INIT, (copy) => rmSync(path.join(copy, 'lamella-init')), 3, /no C compiler here can make it/],
  [
    'a binary that is none',
    INIT,
    (copy) => writeFileSync(path.join(copy, 'lamella-init'), '#!/bin/sh\n'),
    1,
    /is not packed: lamella-init is no program for linux-/,
  ],
  [
    'a program that is another one',
    INIT,
    (copy) => writeFileSync(path.join(copy, 'lamella-init'), readFileSync('/bin/true')),
    1,
    /is not packed: lamella-init does(?: not run)/,
  ],
  ['no dist', 'packages/seccomp', (copy) => rmSync(path.join(copy, 'dist'), { recursive: true }), 1, /is not packed: it has no \.\/dist\/index\.d\.ts/],
  ['an output whose source is gone, which is removed,', 'packages/seccomp', (copy) => writeFileSync(path.join(copy, 'dist/gone.js'), ''), 0, /^$/],
  ['a bundle of an earlier build, which is removed,', 'packages/oci-runtime', (copy) => writeFileSync(path.join(copy, 'dist/entry/gone.cjs'), ''), 0, /^$/],
  [
    'no bundle, though its build lists one,',
    'packages/oci-runtime',
    (copy) => rmSync(path.join(copy, 'dist/entry/lamella-oci.cjs')),
    1,
    /is not packed: it has no dist\/entry\/lamella-oci\.cjs/,
  ],
])('a package with %s is packed, or refused', async (_, directory, change, status, says) => {
  await using at = scratch();
  // The binary of the checkout is what runs, however it came there.
  expect(interpreterPath()).toContain('lamella-init');
  const ended = prepack(at.path, directory, change);
  expect(ended.stderr.trim()).toMatch(says);
  expect(ended.status).toBe(status);
});

test('turbo restores the binary with what made it, and a README makes nothing anew', () => {
  const said = execFileSync('turbo', ['run', 'build', '--dry=json'], { cwd: checkout, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  const { tasks } = JSON.parse(said.slice(said.indexOf('{'))) as {
    tasks: { taskId: string; outputs: string[] | null; inputs: Record<string, string>; command: string }[];
  };
  const built = tasks.filter(({ command }) => command !== '<NONEXISTENT>');
  expect(built.find(({ taskId }) => taskId === '@lamella/syscall#build')?.outputs).toContain('../../packages/init-linux-*/lamella-init');
  expect(built.filter(({ inputs }) => Object.keys(inputs).some((file) => file.endsWith('.md'))).map(({ taskId }) => taskId)).toEqual([]);
});
