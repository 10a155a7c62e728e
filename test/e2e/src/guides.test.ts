import { spawnSync } from 'node:child_process';
import { globSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { busyboxArchive, mountsBelow, requiresRoot, type ScratchDirectory, scratch } from '@lamella-test/scratch';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CLI, cli } from './cli.js';
import { blocks, checkout } from './packed.js';

/** What a reader does: the commands of each guide, one block after the other in one directory, with an image busybox in a new store. */
let at: ScratchDirectory;

beforeAll(() => {
  at = scratch();
  mkdirSync(at.join('bin'));
  symlinkSync(CLI, at.join('bin/lamella'));
});
afterAll(() => at[Symbol.asyncDispose]());

const read = (file: string): string => readFileSync(path.join(checkout, file), 'utf8');
const guides = globSync('docs/guides/*.md', { cwd: checkout }).sort();

describe.each(guides)('%s', (file) => {
  test('begins with what the reader can do, and ends with what can go wrong', () => {
    const text = read(file);
    expect(text).toMatch(/^# .*\n\n[A-Z]/);
    expect(text).toMatch(/^## What can go wrong$/m);
  });

  test.runIf(blocks(read(file), 'sh').length)('has commands that work', { timeout: 120_000 }, (context) => {
    requiresRoot(context);
    const name = path.basename(file, '.md');
    const [store, directory] = [at.join(`${name}-store`), at.join(name)];
    mkdirSync(directory);
    expect(cli(store)(['import', busyboxArchive(), 'busybox'])).toMatchObject({ status: 0 });
    const script = ['set -euo pipefail', ...blocks(read(file), 'sh').map((block) => `cd ${directory}\n${block}`)].join('\n');
    const env = { ...process.env, PATH: `${at.join('bin')}:${process.env.PATH}`, LAMELLA_NODE: process.execPath, LAMELLA_ROOT: store };
    const { status, stdout, stderr } = spawnSync('bash', ['-v', '-c', script], { cwd: directory, env, encoding: 'utf8', timeout: 100_000 });
    expect(status, `${stderr}\n${stdout}`).toBe(0);
    expect(mountsBelow(at.path)).toEqual([]);
  });
});
