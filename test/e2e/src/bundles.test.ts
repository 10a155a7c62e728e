import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { interpreterPath } from '@lamella/syscall';
import { busyboxArchive, type ScratchDirectory, scratch } from '@lamella-test/scratch';
import { build, type Format } from 'esbuild';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { requiresContainers } from './rights.js';

/** A program that uses the engine, in one file, in a directory without node_modules. */
const PROGRAM = `
import { Containers, ImageStore, pool, run } from '@lamella/engine';
async function main() {
  const root = process.env.LAMELLA_ROOT;
  await new ImageStore(root).import(process.argv[2], 'busybox');
  const { stdout } = await run({ root, image: 'busybox', args: ['echo', 'from a run'] });
  const warm = await pool({ root, image: 'busybox', size: 1 });
  const { stdout: more } = await warm.run(['echo', 'from a pool']);
  await warm[Symbol.asyncDispose]();
  const { container } = await new Containers(root).run({ image: 'busybox', args: ['sleep', '100'] });
  const { stdout: last } = await (await container.exec({ args: ['echo', 'from exec'] })).result;
  await container.remove({ force: true });
  console.log([stdout, more, last].join(', '));
}
main().catch(({ name, code, message, hint }) => { console.error(JSON.stringify({ name, code, message, hint })); process.exit(9); });
`;
let at: ScratchDirectory;

beforeAll(() => {
  at = scratch();
});
afterAll(() => at[Symbol.asyncDispose]());

async function bundle(format: Format, name: string = format): Promise<{ directory: string; file: string }> {
  const directory = at.join(name);
  mkdirSync(directory);
  const file = path.join(directory, format === 'esm' ? 'program.mjs' : 'program.cjs');
  const { warnings } = await build({
    stdin: { contents: PROGRAM, resolveDir: import.meta.dirname },
    bundle: true,
    platform: 'node',
    format,
    outfile: file,
    logLevel: 'silent',
  });
  // import.meta is empty in CommonJS, which is seen to; in node_modules esbuild does not warn of it.
  expect(warnings.filter(({ id }) => id !== 'empty-import-meta')).toEqual([]);
  return { directory, file };
}

function execute(file: string, env: Readonly<Record<string, string>> = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [file, busyboxArchive()], {
    encoding: 'utf8',
    env: { PATH: process.env.PATH, HOME: at.path, XDG_CACHE_HOME: at.join('cache'), LAMELLA_ROOT: at.join('store'), ...env },
  });
  return { status, stdout, stderr };
}

test.for<Format>(['esm', 'cjs'])(
  'a bundle of esbuild (%s) says what it lacks, and runs containers when it has it',
  { timeout: 240_000 },
  async (format, context) => {
    requiresContainers(context);
    const { directory, file } = await bundle(format);
    const refused = execute(file);
    expect(refused).toMatchObject({ status: 9, stdout: '' });
    expect(JSON.parse(refused.stderr)).toMatchObject({
      name: 'ProgramError',
      code: 'INIT_MISSING',
      hint: expect.stringMatching(/copy its file lamella-init beside the bundle, set LAMELLA_INIT to its path/),
    });
    const fine = { status: 0, stdout: 'from a run, from a pool, from exec\n', stderr: '' };
    expect(execute(file, { LAMELLA_INIT: interpreterPath() })).toEqual(fine);
    copyFileSync(interpreterPath(), path.join(directory, 'lamella-init'));
    expect(execute(file)).toEqual(fine);
  },
);

test('a bundle in a project of pnpm finds the binary by the engine, which is all that the project depends on', { timeout: 240_000 }, async (context) => {
  requiresContainers(context);
  const { directory, file } = await bundle('cjs', 'project');
  mkdirSync(path.join(directory, 'node_modules/@lamella'), { recursive: true });
  symlinkSync(path.join(import.meta.dirname, '../../../packages/engine'), path.join(directory, 'node_modules/@lamella/engine'));
  expect(execute(file)).toEqual({ status: 0, stdout: 'from a run, from a pool, from exec\n', stderr: '' });
});
