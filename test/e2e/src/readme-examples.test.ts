import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ImageStore } from '@lamella/engine';
import { busyboxArchive, requiresProgram, requiresRoot, type ScratchDirectory, scratch } from '@lamella-test/scratch';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { docExamples } from './doc-examples.js';
import { blocks, checkout, installPacked, packAll, type Tarballs } from './packed.js';
import { requiresContainers } from './rights.js';

/** Every package, alone: packed, installed into an empty project elsewhere, its README's example run. */
const PACKAGES = ['syscall', 'seccomp', 'cgroup', 'overlay', 'namespace', 'cleanup', 'image', 'oci-runtime', 'engine'];
/** The one that the tests themselves run with: it is at hand. */
const VITEST = (JSON.parse(readFileSync(path.join(checkout, 'package.json'), 'utf8')) as { devDependencies: { vitest: string } }).devDependencies.vitest;
let at: ScratchDirectory;
let tarballs: Tarballs;

beforeAll(() => {
  at = scratch();
  tarballs = packAll(at.path);
}, 240_000);
afterAll(() => at[Symbol.asyncDispose]());

/** An empty project with what a README says to install. */
function project(names: readonly string[], called = names[0]): string {
  const directory = at.join(`project-${called?.replace('@lamella/', '')}`);
  installPacked(directory, tarballs, Object.fromEntries(names.map((each) => [each, tarballs.get(each) ?? VITEST])));
  copyFileSync(busyboxArchive(), path.join(directory, 'busybox.tar'));
  return directory;
}

/** The first block of code in a language. */
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
  // The examples of the guide, in its order, and what each prints.
  const examples = blocks(readFileSync(path.join(checkout, 'docs/guides/from-node.md'), 'utf8'), 'js');
  const prints = ['up\nwarm 0\n', 'common\nattempt 2\n', '0 1\nmodified /p/notes\nadded /p/out\nfirst second\n', 'refused 2 changes\n', 'true\n'];
  expect(examples.length).toBe(prints.length);
  for (const [i, code] of examples.entries()) {
    writeFileSync(path.join(directory, 'guide.mjs'), code);
    expect(execFileSync(process.execPath, ['guide.mjs'], { cwd: directory, encoding: 'utf8', env })).toBe(prints[i]);
  }
});

/** Each has to have an example in its doc comment. */
const MAIN = [
  ...['Containers', 'createContainer', 'pool', 'run', 'sweep'].map((name) => `engine.${name}`),
  'image.ImageStore',
  'namespace.spawn',
  'overlay.mountOverlay',
  'seccomp.compileProfile',
  'syscall.run',
];

test('the examples in doc comments print what they say', { timeout: 120_000 }, async (context) => {
  requiresRoot(context);
  requiresProgram(context, 'tar');
  const examples = docExamples();
  expect(examples.map(({ entry }) => entry).sort()).toEqual(MAIN);
  const directory = project(
    PACKAGES.map((name) => `@lamella/${name}`),
    'comments',
  );
  const env = { ...process.env, LAMELLA_ROOT: path.join(directory, 'store') };
  await new ImageStore(env.LAMELLA_ROOT).import(path.join(directory, 'busybox.tar'), 'busybox');
  for (const { entry, code, prints } of examples) {
    writeFileSync(path.join(directory, 'comment.mjs'), code);
    expect(execFileSync(process.execPath, ['comment.mjs'], { cwd: directory, encoding: 'utf8', env }), entry).toBe(prints);
  }
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
  expect(`${stdout}${stderr}`).toMatch(/the container of this test had changed since its setup:\s+M \/db\/rows/);
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
