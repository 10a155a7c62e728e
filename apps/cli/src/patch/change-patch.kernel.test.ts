import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { Containers, type StoredContainer } from '@lamella/engine';
import { ImageStore } from '@lamella/image';
import { mountOverlay } from '@lamella/overlay';
import { busyboxArchive, requiresProgram, requiresRoot, type ScratchDirectory, scratch } from '@lamella-test/scratch';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { patchStream } from './patch-stream.js';

/** Bytes as latin1: names and contents are not text. */
type Node =
  | { readonly type: 'file'; readonly mode: number; readonly content: string }
  | { readonly type: 'link'; readonly target: string }
  | { readonly type: 'fifo' };
/** By paths of one or two names. */
type Tree = Readonly<Record<string, Node>>;

const long = process.env.LAMELLA_LONG === '1';
let at: ScratchDirectory;
let container: StoredContainer;
let upper: { readonly upperdir: string; readonly workdir: string; readonly source: string };

beforeAll(async () => {
  if (process.geteuid?.() !== 0) return;
  at = scratch();
  const root = at.join('store');
  await new ImageStore(root).import(busyboxArchive(), 'busybox');
  mkdirSync(at.join('before'));
  container = await new Containers(root).create({
    image: 'busybox',
    args: ['true'],
    volumes: [{ source: at.join('before'), destination: '/a place', overlay: true }],
  });
  const view = (await container.writableMounts()).find(({ destination }) => destination === '/a place');
  if (view?.source === undefined) throw new Error('the volume has no view');
  upper = { upperdir: made(view.upperdir), workdir: made(view.workdir), source: view.source };
});
beforeEach((context) => requiresRoot(context));
afterAll(() => at?.[Symbol.asyncDispose]());

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
const inside = (directory: string, name: string): Buffer => bytes(`${directory}/${name}`);
const stats = (file: Buffer): ReturnType<typeof lstatSync> | undefined => lstatSync(file, { throwIfNoEntry: false });

function put(directory: string, name: string, node: Node): void {
  const parent = name.split('/').slice(0, -1).join('/');
  if (parent) mkdirSync(inside(directory, parent), { recursive: true });
  const file = inside(directory, name);
  if (node.type === 'link') symlinkSync(bytes(node.target), file);
  else if (node.type === 'fifo') expect(spawnSync('sh', ['-c', 'mkfifo "$(printf "$0")"', octal(file)]).status).toBe(0);
  else {
    writeFileSync(file, bytes(node.content));
    chmodSync(file, node.mode);
  }
}

/** For printf(1): arguments of a process are text for Node. The dot keeps a newline at the end. */
function octal(name: Buffer): string {
  return [...name].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('');
}

/** Files and links, with what of them git knows. */
function treeOf(directory: string, prefix = '', found: Record<string, string> = {}): Record<string, string> {
  for (const entry of readdirSync(bytes(directory), { encoding: 'buffer' })) {
    const name = entry.toString('latin1');
    const file = inside(directory, name);
    const { mode } = lstatSync(file);
    if ((mode & 0o170000) === 0o040000) treeOf(`${directory}/${name}`, `${prefix}${name}/`, found);
    else if ((mode & 0o170000) === 0o120000) found[`${prefix}${name}`] = `link ${readlinkSync(file, 'buffer').toString('latin1')}`;
    else if ((mode & 0o170000) === 0o100000) found[`${prefix}${name}`] = `${mode & 0o100 ? 'x' : '-'} ${readFileSync(file).toString('latin1')}`;
  }
  return found;
}

/** Makes `after` of `before` in the container's volume. @returns its changes as one patch, and what is left out */
async function patchBetween(
  before: Tree,
  after: Tree,
  binary: 'patch' | 'omit' = 'patch',
): Promise<{ readonly patch: Buffer; readonly omitted: readonly string[] }> {
  const { upperdir, workdir, source } = upper;
  for (const directory of [source, upperdir])
    for (const name of readdirSync(directory, { encoding: 'buffer' })) rmSync(inside(directory, name.toString('latin1')), { recursive: true });
  for (const [name, node] of Object.entries(before)) put(source, name, node);
  {
    await using mount = await mountOverlay({ lowerdirs: [source], upperdir, workdir, merged: made(at.join('merged')) });
    const gone = Object.entries(before).filter(([name, node]) => JSON.stringify(after[name]) !== JSON.stringify(node));
    for (const [name] of gone) rmSync(inside(mount.path, name));
    // A directory may have to make room for a file.
    for (const [name] of gone) {
      const parent = name.split('/')[0] ?? '';
      if (parent !== name && !Object.keys(after).some((each) => each.startsWith(`${parent}/`)))
        rmSync(inside(mount.path, parent), { recursive: true, force: true });
    }
    for (const [name, node] of Object.entries(after)) if (!stats(inside(mount.path, name))) put(mount.path, name, node);
  }
  const [texts, omitted]: [string[], string[]] = [[], []];
  for await (const part of patchStream(container, container.changes(), binary))
    'text' in part ? texts.push(part.text) : omitted.push(`${part.path}: ${part.omitted}`);
  return { patch: bytes(texts.join('')), omitted };
}

function made(directory: string): string {
  mkdirSync(directory, { recursive: true });
  return directory;
}

/** What a program makes of `before` with a patch. */
function applied(program: string, args: readonly string[], patch: Buffer): { readonly tree: Record<string, string>; readonly said: string } {
  const top = at.join('applied');
  rmSync(top, { recursive: true, force: true });
  mkdirSync(top);
  cpSync(upper.source, `${top}/a place`, { recursive: true, verbatimSymlinks: true });
  const { status, stdout, stderr } = spawnSync(program, args, {
    cwd: top,
    input: patch,
    encoding: 'latin1',
    env: { PATH: process.env.PATH, HOME: '/nonexistent', LC_ALL: 'C' },
  });
  const said = `${stdout}${stderr}`;
  expect(status, `${program}: ${said}\n${patch.toString('latin1')}`).toBe(0);
  return { tree: treeOf(made(`${top}/a place`)), said };
}

const git = (patch: Buffer): Record<string, string> =>
  (patch.length ? applied('git', ['apply', '--whitespace=nowarn'], patch) : applied('true', [], patch)).tree;
const gnu = (patch: Buffer): Record<string, string> => applied('patch', ['-p1', '-f', '--no-backup-if-mismatch'], patch).tree;

const wanted = (tree: Tree): Record<string, string> =>
  Object.fromEntries(
    Object.entries(tree).flatMap(([name, node]) =>
      node.type === 'fifo' ? [] : [[name, node.type === 'link' ? `link ${node.target}` : `${node.mode & 0o100 ? 'x' : '-'} ${node.content}`]],
    ),
  );

const NAMES = [
  'a',
  'b c',
  'tab\there',
  'new\nline',
  '"quoted"',
  'back\\slash',
  '-dash',
  ' blank',
  'end ',
  'caf\xc3\xa9',
  '\xff\xfe',
  '\x01\x1b\x7f',
  "it's",
  '+++ b',
  '$(x)',
];
const LINES = [
  '',
  'x',
  'y',
  ' ',
  'trailing  ',
  '\t',
  'cr\r',
  '\r',
  '+',
  '-',
  '-- ',
  '@@ -1 +1 @@',
  '\\ No newline',
  'caf\xc3\xa9',
  '\xff',
  '\x1b[31m',
  'a\rb',
  'diff --git a/a b/a',
];
const text = fc
  .tuple(fc.array(fc.constantFrom(...LINES), { maxLength: 12 }), fc.boolean())
  .map(([lines, complete]) => (lines.length ? `${lines.join('\n')}${complete ? '\n' : ''}` : ''));
const binary = fc.uint8Array({ minLength: 1, maxLength: 200 }).map((content) => `\0${Buffer.from(content).toString('latin1')}`);
const mode = fc.constantFrom(0o644, 0o755, 0o600, 0o700, 0o664);
const file = (content: fc.Arbitrary<string>): fc.Arbitrary<Node> => fc.record({ type: fc.constant('file' as const), mode, content });
const link: fc.Arbitrary<Node> = fc.record({
  type: fc.constant('link' as const),
  target: fc.constantFrom('a', 'b c', 'new\nline', 'caf\xc3\xa9', '\xff', 'x'.repeat(100)),
});
const name = fc.oneof(
  fc.constantFrom(...NAMES),
  fc.tuple(fc.constantFrom(...NAMES.slice(0, 5)), fc.constantFrom(...NAMES)).map((names) => names.join('/')),
);

/** Two trees that have names in common. A path above an entry is a directory. */
function trees(node: fc.Arbitrary<Node>, late: fc.Arbitrary<Node> = node): fc.Arbitrary<readonly [Tree, Tree]> {
  const entry = fc.record({ name, before: fc.option(node, { freq: 3 }), after: fc.option(fc.oneof(fc.constant('same' as const), late), { freq: 4 }) });
  return fc.array(entry, { maxLength: 10 }).map((entries) => {
    const sides: [Record<string, Node>, Record<string, Node>] = [{}, {}];
    const set = (side: Record<string, Node>, path: string, value: Node | null | undefined): void => {
      const [top = ''] = path.split('/');
      if (value && !(top in side) && !(path === top && Object.keys(side).some((each) => each.startsWith(`${top}/`)))) side[path] = value;
    };
    for (const { name: path, before, after } of entries) {
      set(sides[0], path, before);
      set(sides[1], path, after === 'same' ? before : after);
    }
    return sides;
  });
}

const runs = { numRuns: long ? 3000 : 25 };

test('git apply makes the same tree of any patch, binary content and all', { timeout: 1_200_000 }, async (context) => {
  requiresProgram(context, 'git');
  const node = fc.oneof({ arbitrary: file(text), weight: 4 }, { arbitrary: file(binary), weight: 1 }, { arbitrary: link, weight: 1 });
  const late = fc.oneof({ arbitrary: node, weight: 8 }, { arbitrary: fc.constant<Node>({ type: 'fifo' }), weight: 1 });
  await fc.assert(
    fc.asyncProperty(trees(node, late), async ([before, after]) => {
      // git follows a link that a new directory replaces, and fails if it leads to another link.
      const leadsOn = (link: string): boolean => {
        const was = before[link];
        return was?.type === 'link' && before[was.target]?.type === 'link';
      };
      fc.pre(!Object.keys(after).some((each) => each.includes('/') && leadsOn(each.split('/')[0] ?? '')));
      const { patch } = await patchBetween(before, after);
      expect(git(patch), patch.toString('latin1')).toEqual(wanted(after));
    }),
    runs,
  );
});

test('GNU patch makes the same tree of any patch of text', { timeout: 1_200_000 }, async (context) => {
  requiresProgram(context, 'patch');
  const node = fc.oneof({ arbitrary: file(text), weight: 4 }, { arbitrary: link, weight: 1 });
  await fc.assert(
    fc.asyncProperty(trees(node), async ([before, after]) => {
      // It removes files at its end: none becomes a directory, nor the other way, also not by what git writes.
      fc.pre(!Object.keys(before).some((a) => Object.keys(after).some((b) => a.startsWith(`${b}/`) || b.startsWith(`${a}/`))));
      const { patch } = await patchBetween(before, after, 'omit');
      expect(gnu(patch), patch.toString('latin1')).toEqual(wanted(after));
    }),
    runs,
  );
});

test('headers are those that git itself writes', async (context) => {
  requiresProgram(context, 'git');
  const everyByte = Array.from({ length: 255 }, (_, i) => String.fromCharCode(i + 1)).filter((byte) => byte !== '/' && byte !== '.');
  // Where GNU patch would read another name we quote what git does not.
  const names = [...new Set([...NAMES, ...everyByte.map((byte) => `n${byte}m`)])].filter((each) => !each.endsWith(' '));
  const [before, after]: [Record<string, Node>, Record<string, Node>] = [{}, {}];
  for (const [i, each] of names.entries()) {
    const was: Node = i % 5 ? { type: 'file', mode: 0o644, content: i % 4 ? 'one\ntwo' : '\0one' } : { type: 'link', target: 'a' };
    if (i % 3 !== 1) before[each] = was;
    if (i % 3 !== 2) after[each] = i % 7 ? { type: 'file', mode: i % 2 ? 0o644 : 0o755, content: 'one\nthree' } : { type: 'link', target: 'b c' };
  }
  const { patch } = await patchBetween(before, after);
  const repository = at.join('repository');
  const run = (...args: string[]): string => {
    const env = {
      PATH: process.env.PATH,
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_AUTHOR_NAME: 'a',
      GIT_AUTHOR_EMAIL: 'a',
      GIT_COMMITTER_NAME: 'a',
      GIT_COMMITTER_EMAIL: 'a',
    };
    const { status, stdout, stderr } = spawnSync('git', args, { cwd: repository, encoding: 'latin1', env });
    expect(status, stderr).toBe(0);
    return stdout;
  };
  const populate = (tree: Tree): void => {
    rmSync(`${repository}/a place`, { recursive: true, force: true });
    mkdirSync(`${repository}/a place`);
    for (const [each, node] of Object.entries(tree)) put(`${repository}/a place`, each, node);
    run('add', '-A');
  };
  mkdirSync(repository);
  run('init', '-q');
  populate(before);
  run('commit', '-qm', 'before');
  populate(after);
  // Content with NUL bytes may be smaller as a delta, and we have none.
  const headers = (text: string): string[] =>
    text.split('\n').filter((line) => /^(?:diff --git|old mode|new |deleted |index|--- |\+\+\+ |@@|[-+ ]|\\|GIT)/.test(line));
  const sections = (text: string): string[] =>
    headers(text)
      .join('\n')
      .split(/^(?=diff --git)/m)
      .map((each) => each.trimEnd())
      .sort();
  expect(sections(patch.toString('latin1'))).toEqual(sections(run('diff', '--cached', '--binary', '--no-renames')));
});

test('what no patch can express is told, and the rest is a patch', async (context) => {
  requiresProgram(context, 'git');
  const kept: Tree = {
    kept: { type: 'file', mode: 0o644, content: 'one\n' },
    private: { type: 'file', mode: 0o600, content: '' },
    other: { type: 'file', mode: 0o644, content: 'x' },
  };
  const { patch, omitted } = await patchBetween(kept, {
    kept: { type: 'file', mode: 0o4755, content: 'two\n' },
    private: { type: 'file', mode: 0o640, content: '' },
    other: { type: 'fifo' },
    'sub/fifo': { type: 'fifo' },
    binary: { type: 'file', mode: 0o644, content: '\0' },
  });
  expect(omitted).toEqual([
    '/a place/kept: mode 4755',
    '/a place/other: a fifo',
    '/a place/private: mode 640',
    '/a place/sub/fifo: a fifo',
    '/a place/sub: a new directory with no file in it',
  ]);
  expect(git(patch)).toEqual({ kept: 'x two\n', private: '- ', binary: '- \0' });
  const without = await patchBetween({}, { binary: { type: 'file', mode: 0o644, content: '\0' }, text: { type: 'file', mode: 0o644, content: 'x' } }, 'omit');
  expect(without.omitted).toEqual(['/a place/binary: binary content']);
  expect(git(without.patch)).toEqual({ text: '- x' });
});

test('large files that have little in common are a patch, too, and soon', { timeout: 300_000 }, async (context) => {
  requiresProgram(context, 'git');
  const lines = (start: number, step: number): string => Array.from({ length: 50_000 }, (_, i) => `line ${start + i * step}\n`).join('');
  const big = (content: string): Tree => ({ big: { type: 'file', mode: 0o644, content } });
  // Of this process alone: how busy the machine is says nothing of it.
  const before = process.cpuUsage();
  const { patch } = await patchBetween(big(`${lines(0, 1)}end`), big(`start\n${lines(7, 3)}end\n`));
  const { user, system } = process.cpuUsage(before);
  expect((user + system) / 1e6).toBeLessThan(20);
  expect(git(patch)).toEqual(wanted(big(`start\n${lines(7, 3)}end\n`)));
});
