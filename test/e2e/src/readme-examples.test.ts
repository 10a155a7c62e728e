import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ImageStore } from '@lamella/engine';
import { busyboxArchive, requiresProgram, requiresRoot, type ScratchDirectory, scratch } from '@lamella-test/scratch';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { requiresContainers } from './rights.js';

/** Every package, alone: packed, installed into an empty project elsewhere, its README's example run. */
const checkout = path.join(import.meta.dirname, '../../..');
const PACKAGES = ['syscall', 'seccomp', 'cgroup', 'overlay', 'namespace', 'cleanup', 'image', 'oci-runtime', 'engine'];
/** The one that the tests themselves run with: it is at hand. */
const VITEST = (JSON.parse(readFileSync(path.join(checkout, 'package.json'), 'utf8')) as { devDependencies: { vitest: string } }).devDependencies.vitest;
let at: ScratchDirectory;
const tarballs = new Map<string, string>();

beforeAll(() => {
  at = scratch();
  for (const directory of [...[...PACKAGES, 'vitest'].map((name) => `packages/${name}`), `packages/init-linux-${process.arch}`, 'apps/cli']) {
    const packed = JSON.parse(
      execFileSync('pnpm', ['pack', '--json', '--pack-destination', at.path], { cwd: path.join(checkout, directory), encoding: 'utf8' }),
    ) as { name: string; filename: string };
    tarballs.set(packed.name, packed.filename);
  }
}, 120_000);
afterAll(() => at[Symbol.asyncDispose]());

/** An empty project with what a README says to install; what that needs comes from tarballs, too. */
function project(names: readonly string[]): string {
  const [name = ''] = names;
  const directory = at.join(`project-${name.replace('@lamella/', '')}`);
  mkdirSync(directory);
  const of = ([key, file]: readonly [string, string]): readonly [string, string] => [key, file.startsWith('/') ? `file:${file}` : file];
  writeFileSync(
    path.join(directory, 'package.json'),
    JSON.stringify({ private: true, type: 'module', dependencies: Object.fromEntries(names.map((each) => of([each, tarballs.get(each) ?? VITEST]))) }),
  );
  // The other platform's binary is nowhere to be had before it is published.
  const others = Object.fromEntries([...tarballs].map(of));
  const overrides = {
    ...others,
    '@lamella/init-linux-x64': others[`@lamella/init-linux-${process.arch}`],
    '@lamella/init-linux-arm64': others[`@lamella/init-linux-${process.arch}`],
  };
  writeFileSync(path.join(directory, 'pnpm-workspace.yaml'), `overrides: ${JSON.stringify(overrides)}\nstrictDepBuilds: false\n`);
  execFileSync('pnpm', ['install', '--prefer-offline', '--silent'], { cwd: directory, stdio: ['ignore', 'inherit', 'inherit'] });
  copyFileSync(busyboxArchive(), path.join(directory, 'busybox.tar'));
  return directory;
}

/** The blocks of code in a language. */
function blocks(readme: string, language: string): string[] {
  return [...readme.matchAll(new RegExp(`\`\`\`${language}\\n(.*?)\`\`\``, 'gs'))].map(([, code = '']) => code);
}

/** The first of them. */
function block(readme: string, language: string): string {
  return blocks(readme, language)[0] ?? expect.unreachable(`no ${language} block`);
}

test.for(PACKAGES)('@lamella/%s, installed alone, runs the example of its README', { timeout: 120_000 }, (name, context) => {
  // They show what an ordinary user does in a user namespace only.
  if (name === 'syscall' || name === 'oci-runtime') requiresRoot(context);
  else requiresContainers(context);
  requiresProgram(context, 'tar');
  const said = /npm install (.*)/.exec(readFileSync(path.join(checkout, 'packages', name, 'README.md'), 'utf8'));
  const directory = project(said?.[1]?.split(' ') ?? []);
  const installed = path.join(directory, 'node_modules/@lamella', name);
  expect(readdirSync(path.join(installed, 'dist')).filter((file) => file.includes('.test.'))).toEqual([]);
  const readme = readFileSync(path.join(installed, 'README.md'), 'utf8');
  const printed = blocks(readme, 'text');
  expect(blocks(readme, 'js').length).toBe(printed.length);
  for (const [i, code] of blocks(readme, 'js').entries()) {
    writeFileSync(path.join(directory, 'example.mjs'), code);
    expect(execFileSync(process.execPath, ['example.mjs'], { cwd: directory, encoding: 'utf8' })).toBe(printed[i]);
  }
  if (name !== 'engine') return;
  // The README of the whole shows the same package, on an image that is there by now.
  const whole = `${block(readFileSync(path.join(checkout, 'README.md'), 'utf8'), 'js')}\nconsole.log(exitCode, stdout);`;
  writeFileSync(path.join(directory, 'whole.mjs'), whole);
  const env = { ...process.env, LAMELLA_ROOT: path.join(directory, 'store') };
  expect(execFileSync(process.execPath, ['whole.mjs'], { cwd: directory, encoding: 'utf8', env })).toBe('0 gone\n');
  // The recipes, in the order of the text; what they print is said here, for there they are to be read.
  const recipes = blocks(readFileSync(path.join(checkout, 'docs/changes.md'), 'utf8'), 'js');
  const prints = ['common\nattempt 2\n', '0 1\nmodified /p/notes\nadded /p/out\nfirst second\n', 'refused 2 changes\n', 'true\n'];
  expect(recipes.length).toBe(prints.length);
  for (const [i, code] of recipes.entries()) {
    writeFileSync(path.join(directory, 'recipe.mjs'), code);
    expect(execFileSync(process.execPath, ['recipe.mjs'], { cwd: directory, encoding: 'utf8', env })).toBe(prints[i]);
  }
  writeFileSync(path.join(directory, 'docs.mjs'), block(readFileSync(path.join(checkout, 'docs/containers.md'), 'utf8'), 'js'));
  expect(execFileSync(process.execPath, ['docs.mjs'], { cwd: directory, encoding: 'utf8', env })).toBe('up\nwarm 0\n');
});

test('@lamella/vitest, installed alone, gives each test of its example a container, and shows what one that failed had changed', {
  timeout: 120_000,
}, async (context) => {
  requiresContainers(context);
  const directory = project(['@lamella/vitest', 'vitest']);
  const installed = path.join(directory, 'node_modules/@lamella/vitest');
  const example = readFileSync(path.join(installed, 'example/migration.test.js'), 'utf8');
  // What the README shows is the beginning of it.
  const lines = (text: string): string[] => text.split('\n').filter((line) => line && !line.startsWith('//'));
  const shown = lines(block(readFileSync(path.join(installed, 'README.md'), 'utf8'), 'ts'));
  expect(lines(example).slice(0, shown.length)).toEqual(shown);
  for (const file of readdirSync(path.join(installed, 'example'))) copyFileSync(path.join(installed, 'example', file), path.join(directory, file));
  const root = path.join(directory, 'store');
  await new ImageStore(root).import(path.join(directory, 'busybox.tar'), 'busybox');
  const { status, stdout, stderr } = spawnSync('pnpm', ['exec', 'vitest', 'run', '--reporter=verbose', '--no-color'], {
    cwd: directory,
    encoding: 'utf8',
    env: { ...process.env, LAMELLA_ROOT: root },
  });
  expect(stdout).toContain('✓ migration.test.js > a fresh database is migrated');
  expect(stdout).toContain('× migration.test.js > a bad migration leaves nothing half done');
  expect(`${stdout}${stderr}`).toMatch(/the container of this test had changed:\s+M \/db\/rows\s/);
  expect(status).toBe(1);
  for (const place of ['containers', 'frozen']) expect(readdirSync(path.join(root, place)).filter((name) => !name.startsWith('.'))).toEqual([]);
});

test('lamella, installed alone, runs an image', { timeout: 120_000 }, (context) => {
  requiresContainers(context);
  const directory = project(['lamella']);
  const lamella = (...args: string[]): string =>
    execFileSync(process.execPath, ['node_modules/lamella/bin/lamella.cjs', ...args], {
      cwd: directory,
      encoding: 'utf8',
      env: { ...process.env, LAMELLA_ROOT: path.join(directory, 'store') },
    });
  expect(lamella('import', 'busybox.tar', 'busybox')).toMatch(/^busybox:latest sha256:/);
  expect(lamella('run', 'busybox', 'echo', 'from', 'a', 'tarball')).toBe('from a tarball\n');
  expect(lamella('--help')).toContain('COMMANDS');
});
