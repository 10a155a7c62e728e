import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { interpreterPath } from '@lamella/syscall';
import { busyboxArchive, OCI_RUNTIME, ociBundle, requiresRoot, type ScratchDirectory, scratch } from '@lamella-test/scratch';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { CLI, cli } from './cli.js';
import { requiresContainers } from './rights.js';

/** The program of a container that prints its words. */
const PRINT = ['sh', '-c', 'printf "%s\\n" "$@"', 'sh'];

let at: ScratchDirectory;
let lamella: ReturnType<typeof cli>;
let words: readonly string[];
beforeAll(() => {
  at = scratch();
  lamella = cli(at.join('store'));
  layBait();
  words = optionsOfNode();
  expect(lamella(['import', busyboxArchive(), 'busybox'])).toMatchObject({ status: 0 });
});
afterAll(() => at[Symbol.asyncDispose]());
beforeEach((context) => requiresContainers(context));
afterEach(() => expect(existsSync(at.join('harmed')), 'Node read a file of the current directory').toBe(false));

/** Files that Node, npm or oclif would obey if an argument, or the current directory, led them there. */
function layBait(): void {
  mkdirSync(at.join('here'));
  const lay = (name: string, content: string): void => writeFileSync(at.join('here', name), content);
  lay('evil.cjs', `require('node:fs').writeFileSync(${JSON.stringify(at.join('harmed'))}, process.argv.join(' '));\n`);
  const evil = at.join('here', 'evil.cjs');
  lay('evil.env', `NODE_OPTIONS=--require=${evil}\nFROM_FILE=yes\n`);
  lay('.env', `NODE_OPTIONS=--require=${evil}\n`);
  lay('evil-config.json', JSON.stringify({ nodeOptions: { import: [evil] } }));
  lay('node.config.json', JSON.stringify({ nodeOptions: { import: [evil] } }));
  lay('package.json', JSON.stringify({ type: 'module', main: evil, oclif: { commands: evil, plugins: [evil], hooks: { init: evil } } }));
  lay('.oclifrc.cjs', `require(${JSON.stringify(evil)});\n`);
  lay('.npmrc', `node-options=--require=${evil}\n`);
  lay('tsconfig.json', '{ "extends": "./missing.json" }');
}

/** Every option of this Node: those that it documents, accepts in NODE_OPTIONS, or passes to V8, and those that it looks for everywhere. */
function optionsOfNode(): readonly string[] {
  const listed = ['--help', '--v8-options'].flatMap((option) => {
    const { stdout } = spawnSync(process.execPath, [option], { encoding: 'utf8' });
    return [...stdout.matchAll(/^\s*(?:-[a-z], )?(--[\w-]+)/gm)].map(([, name = '']) => name);
  });
  const names = new Set([...listed, ...process.allowedNodeEnvironmentFlags, '-e', '-p', '-r', '-i', '-c', '-C', '-v', '-h', '-']);
  expect(names.size).toBeGreaterThan(700);
  const looked = ['--env-file', '--env-file-if-exists', '--experimental-config-file', '--env_file', '--experimental-default-config-file'];
  const baits = looked.flatMap((name) => ['evil.env', 'evil-config.json', 'missing'].flatMap((file) => [`${name}=${file}`, name, file]));
  return [...[...names].flatMap((name) => [name, `${name}=${at.join('here', 'evil.cjs')}`]), ...baits, '--', ...baits, ':', ':x', ''];
}

/** Run in the directory with the bait. */
const here = (args: readonly string[]): ReturnType<typeof lamella> => lamella(args, { cwd: at.join('here'), maxBuffer: 1 << 26 });
const lines = (all: readonly string[]): string => all.map((each) => `${each}\n`).join('');

test('the bait is one', () => {
  const env = { PATH: process.env.PATH };
  spawnSync(process.execPath, ['evil.cjs', '--env-file=evil.env'], { cwd: at.join('here'), env });
  expect(existsSync(at.join('harmed'))).toBe(true);
  rmSync(at.join('harmed'));
  spawnSync(process.execPath, ['-e', '0', '--', 'x', '--experimental-config-file=evil-config.json'], { cwd: at.join('here'), env });
  expect(existsSync(at.join('harmed'))).toBe(true);
  rmSync(at.join('harmed'));
});

describe('no option of Node is one of ours', () => {
  test('behind run', () => {
    expect(here(['run', 'busybox', ...PRINT, ...words])).toEqual({ status: 0, stdout: lines(words), stderr: '' });
  });

  test('behind try', () => {
    expect(here(['try', '-n', '--', ...PRINT, ...words])).toEqual({ status: 0, stdout: lines(words), stderr: '' });
  });

  test('behind exec', async () => {
    const child = spawn(CLI, ['run', '--name', 'up', 'busybox', 'sh', '-c', 'echo ready; exec sleep 100'], {
      env: { ...process.env, LAMELLA_NODE: process.execPath, LAMELLA_ROOT: at.join('store') },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    expect(here(['exec', 'up', ...PRINT, ...words])).toEqual({ status: 0, stdout: lines(words), stderr: '' });
    expect(here(['kill', 'up'])).toMatchObject({ status: 0 });
    await once(child, 'exit');
  });

  test('behind a command that is missing', () => {
    const { status, stdout, stderr } = here(['run', 'busybox', '/missing', ...words]);
    expect({ status, stdout }).toEqual({ status: 127, stdout: '' });
    expect(stderr).toContain('/missing: not found in the container');
  });

  test('as variables', () => {
    const named = words.filter((word) => !/^-*(?:=|$)/.test(word));
    const flags = named.flatMap((word, i) => (i % 2 ? [`--env=${word.replace(/=.*/, '')}=${word}`] : ['-e', `${word.replace(/=.*/, '')}=${word}`]));
    const { status, stdout, stderr } = here(['run', ...flags, '-e', `NODE_OPTIONS=--require=${at.join('here', 'evil.cjs')}`, 'busybox', 'env']);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const set = stdout.split('\n');
    expect(set).toContain(`NODE_OPTIONS=--require=${at.join('here', 'evil.cjs')}`);
    // Of several with one name the last counts.
    const last = new Map(named.map((word) => [word.replace(/=.*/, ''), word]));
    for (const [name, word] of last) expect(set).toContain(`${name}=${word}`);
  });

  test('as a value that is a flag of ours', () => {
    expect(here(['run', '-e', '--help', '-w', '/-h', '-l', '--json', 'busybox', 'pwd'])).toEqual({ status: 0, stdout: '/-h\n', stderr: '' });
  });

  test('instead of a command, and behind every other one', () => {
    for (const command of ['', 'images', 'changes', 'plugins install', 'autocomplete']) {
      const { status, stderr } = here([...command.split(' ').filter(Boolean), '--env-file=evil.env', '--experimental-config-file=evil-config.json']);
      expect({ command, stderr, ours: status === 125 || status === 0 || status === 127 }).toMatchObject({ command, ours: true });
    }
  });
});

describe('an environment file is read by us', () => {
  const inside = ['busybox', 'sh', '-c', 'echo "$FROM_FILE"'];

  test('and never by Node', () => {
    expect(here(['run', '--env-file', 'evil.env', ...inside])).toEqual({ status: 0, stdout: 'yes\n', stderr: '' });
    expect(here(['run', '--env-file=evil.env', ...inside])).toEqual({ status: 0, stdout: 'yes\n', stderr: '' });
  });

  test('and a missing one is an error of ours', () => {
    const { status, stderr } = here(['run', '--env-file', 'missing', ...inside]);
    expect(status).toBe(125);
    expect(stderr).toMatch(/cannot read the environment file missing: ENOENT/);
  });

  test('also where it can be read only once', () => {
    const script = '"$0" run --env-file <(echo FROM_FILE=piped) busybox sh -c \'echo "$FROM_FILE"\'';
    const env = { ...process.env, LAMELLA_NODE: process.execPath, LAMELLA_ROOT: at.join('store') };
    expect(spawnSync('bash', ['-c', script, CLI], { env, encoding: 'utf8' })).toMatchObject({ status: 0, stdout: 'piped\n' });
  });

  test('also when Node is started directly', () => {
    const env = { ...process.env, LAMELLA_ROOT: at.join('store') };
    writeFileSync(at.join('plain.env'), 'FROM_FILE=yes\n');
    const args = [`${CLI}.cjs`, 'run', '--env-file', at.join('plain.env'), 'busybox', 'sh', '-c', 'echo "$FROM_FILE"'];
    expect(spawnSync(process.execPath, args, { env, encoding: 'utf8' })).toMatchObject({ status: 0, stdout: 'yes\n', stderr: '' });
  });
});

describe('the OCI runtime', () => {
  beforeEach((context) => requiresRoot(context));

  test('passes every option of Node on to the process', () => {
    const bundle = ociBundle(at, [OCI_RUNTIME]);
    writeFileSync(path.join(bundle.bundle, '.env'), readFileSync(at.join('here', '.env')));
    bundle.configure((config) => {
      config.process.args = [...PRINT, ...words];
    });
    expect(bundle.oci('run', 'words')).toMatchObject({ status: 0, stdout: lines(words) });
    bundle.configure((config) => {
      config.process.args = ['sleep', '100'];
    });
    expect(bundle.oci('create', 'sleeper').status).toBe(0);
    expect(bundle.oci('start', 'sleeper').status).toBe(0);
    expect(bundle.oci('exec', 'sleeper', ...PRINT, ...words)).toMatchObject({ status: 0, stdout: lines(words) });
    expect(bundle.oci('delete', '--force', 'sleeper').status).toBe(0);
  });

  test('refuses those that are none of its own', () => {
    const env = { ...process.env, LAMELLA_NODE: process.execPath };
    for (const args of [
      ['--env-file=evil.env', 'list'],
      ['list', '--env-file', 'evil.env'],
      ['list', '--experimental-config-file=evil-config.json'],
    ])
      expect(spawnSync(OCI_RUNTIME, args, { cwd: at.join('here'), env, encoding: 'utf8' })).toMatchObject({ status: 1, stdout: '' });
  });
});

describe('the launcher', () => {
  test('is the same text in both programs', () => {
    const launcher = (file: string): string => {
      const text = readFileSync(file, 'utf8');
      return text
        .slice(0, text.indexOf('# */'))
        .replaceAll('lamella-oci', 'lamella')
        .replaceAll('@lamella/oci-runtime', 'lamella')
        .replace('in node_modules/@lamella ..;', 'in node_modules/@lamella ../@lamella;')
        .replace(/exit \d+/, 'exit');
    };
    expect(launcher(OCI_RUNTIME)).toBe(launcher(CLI));
  });

  test.for(['dash', 'bash', 'busybox ash', 'lamella-init'])('passes any bytes on under %s', (shell, context) => {
    const [program = '', ...before] = shell.split(' ');
    const native = shell === 'lamella-init';
    if (!native && spawnSync(program, [...before, '-c', ':']).status !== 0) context.skip(`${shell} is missing`);
    const text = readFileSync(CLI, 'latin1');
    const show = at.join(`show-${program}.cjs`);
    writeFileSync(show, `${text.slice(0, text.indexOf('# */'))}# */\nprocess.stdout.write(require('node:fs').readFileSync('/proc/self/cmdline'));\n`);
    const start = native ? `${interpreterPath()} launch lamella ${at.path} ${show}` : `${shell} ${show}`;
    // A program starts programs with bytes by a shell: spawn takes text.
    const octal = Array.from({ length: 255 }, (_, i) => `"$(printf 'x\\${(i + 1).toString(8).padStart(3, '0')}y')"`).join(' ');
    for (const locale of ['C', 'C.UTF-8']) {
      const { stdout } = spawnSync('sh', ['-c', `exec ${start} ${octal} ''`], {
        env: { ...process.env, LAMELLA_NODE: process.execPath, LC_ALL: locale },
      });
      const expected = Array.from({ length: 255 }, (_, i) => `:x${String.fromCharCode(i + 1)}y\0`).join('');
      expect(stdout.toString('latin1').split('\0').slice(2).join('\0')).toBe(`:\0${expected}:\0`);
    }
  });

  test('says what is missing where there is no Node', () => {
    // Beside a copy there is none.
    const alone = at.join('alone/bin/lamella');
    mkdirSync(path.dirname(alone), { recursive: true });
    copyFileSync(CLI, alone);
    const { status, stderr } = spawnSync(alone, ['run'], { env: { PATH: '/nowhere' }, encoding: 'utf8' });
    expect({ status, stderr }).toEqual({
      status: 125,
      stderr: `lamella: there is no 'node' beside ${alone} or in PATH: install Node 24 or later, or name one in LAMELLA_NODE\n`,
    });
  });

  test('is found through links', () => {
    symlinkSync(CLI, at.join('linked'));
    const { stdout } = spawnSync(at.join('linked'), ['--version'], { env: { ...process.env, LAMELLA_NODE: process.execPath }, encoding: 'utf8' });
    expect(stdout).toMatch(/^lamella\//);
  });
});
