import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { findProgram, requiresProgram, type ScratchDirectory, scratch, skip } from '@lamella-test/scratch';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type PackageRegistry, servePackages } from './package-registry.js';
import { packAll } from './packed.js';

/**
 * Real installations, by each package manager, from the tarballs that would be published. Their commands reach the native launcher
 * without Node and remember their Node, whatever the PATH has.
 */

const run = promisify(execFile);
/** The versions that are tried. npm and pnpm are those of the toolchain. */
const YARN = { classic: 'yarn@1.22.22', modern: '@yarnpkg/cli-dist@4.18.1' } as const;
const COMMANDS = ['lamella', 'lamella-oci'] as const;
const FOREIGN = process.arch === 'x64' ? 'arm64' : 'x64';

let at: ScratchDirectory;
let registry: PackageRegistry;
let cli = '';
let oci = '';
let env: NodeJS.ProcessEnv;
let offline = '';

beforeAll(async () => {
  at = scratch();
  mkdirSync(at.join('tarballs'));
  const tarballs = packAll(at.join('tarballs'));
  cli = tarballs.get('lamella') ?? '';
  oci = tarballs.get('@lamella/oci-runtime') ?? '';
  registry = await servePackages([...tarballs.values(), packForeign()]);
  // Only our packages come from this registry.
  const config = `@lamella:registry=${registry.url}\naudit=false\nfund=false\nupdate-notifier=false\n`;
  mkdirSync(at.join('home'));
  writeFileSync(at.join('home/.npmrc'), config);
  writeFileSync(
    at.join('home/.yarnrc.yml'),
    `npmScopes:\n  lamella:\n    npmRegistryServer: "${registry.url}"\nunsafeHttpWhitelist: ["127.0.0.1"]\nenableTelemetry: false\nenableImmutableInstalls: false\n`,
  );
  const inherited = Object.entries(process.env).filter(([name]) => /^(?:https?_proxy|node_extra_ca_certs|npm_config_(?:registry|cache))$/i.test(name));
  env = {
    ...Object.fromEntries(inherited),
    HOME: at.join('home'),
    PATH: process.env.PATH,
    no_proxy: '127.0.0.1',
    npm_config_userconfig: at.join('home/.npmrc'),
  };
  layPaths();
  offline = await run('npm', ['view', 'yarn', 'version'], { env }).then(
    () => '',
    (error: Error) => `the registry of npm is out of reach: ${error.message.split('\n')[0]}`,
  );
}, 240_000);
afterAll(async () => {
  await registry?.[Symbol.asyncDispose]();
  await at?.[Symbol.asyncDispose]();
});

/** A package for the other platform, which must not be installed here. */
function packForeign(): string {
  const place = at.join('foreign');
  mkdirSync(place);
  const manifest = { name: `@lamella/init-linux-${FOREIGN}`, version: '0.1.0', os: ['linux'], cpu: [FOREIGN] };
  writeFileSync(path.join(place, 'package.json'), JSON.stringify(manifest));
  writeFileSync(path.join(place, 'lamella-init'), 'not a program\n', { mode: 0o755 });
  const [packed] = JSON.parse(execFileSync('npm', ['pack', '--json', '--pack-destination', at.path], { cwd: place, encoding: 'utf8' })) as {
    filename: string;
  }[];
  return at.join(packed?.filename ?? '');
}

/** Directories for PATH: with this Node, with an old one, and with none. All have what the wrappers of pnpm call. */
function layPaths(): void {
  for (const name of ['good', 'old', 'none']) {
    mkdirSync(at.join('paths', name), { recursive: true });
    for (const tool of ['dirname', 'readlink', 'sed', 'uname']) symlinkSync(findProgram(tool) ?? '', at.join('paths', name, tool));
  }
  symlinkSync(process.execPath, at.join('paths/good/node'));
  const old = (process.env.PATH ?? '').split(':').find((place) => !place.includes('node_modules') && /^v(?:1\d|2[0-3])\./.test(versionIn(place)));
  if (old) symlinkSync(path.join(old, 'node'), at.join('paths/old/node'));
  else writeFileSync(at.join('paths/old/node'), '#!/bin/sh\necho "an old node" >&2\nexit 77\n', { mode: 0o755 });
}

function versionIn(place: string): string {
  const file = path.join(place, 'node');
  return existsSync(file) ? spawnSync(file, ['--version'], { encoding: 'utf8' }).stdout : '';
}

interface Installation {
  /** The paths of the commands. */
  readonly commands: Readonly<Record<(typeof COMMANDS)[number], string>>;
  /** Whether the package manager wraps commands in scripts that start processes. */
  readonly wraps?: boolean;
}

/** Installs the packages in a new project or globally. Returns undefined if the package manager cannot be had. */
const MANAGERS: Readonly<Record<string, (place: string) => Promise<Installation>>> = {
  async npm(place) {
    project(place);
    await run('npm', ['install', cli, oci], { cwd: place, env });
    return { commands: below(place, 'node_modules/.bin') };
  },
  async 'npm, globally'(place) {
    await run('npm', ['install', '--global', '--prefix', place, cli, oci], { env });
    return { commands: below(place, 'bin') };
  },
  async pnpm(place) {
    project(place);
    await run('pnpm', ['install', '--silent'], { cwd: place, env });
    return { commands: below(place, 'node_modules/.bin'), wraps: true };
  },
  async 'pnpm, globally'(place) {
    const home = path.join(place, 'home');
    mkdirSync(path.join(home, 'bin'), { recursive: true });
    const own = { ...env, PNPM_HOME: home, PATH: `${home}/bin:${home}:${env.PATH}` };
    await run('pnpm', ['add', '--global', cli, oci], { cwd: place, env: own });
    return { commands: below(home, existsSync(path.join(home, 'bin/lamella')) ? 'bin' : '.'), wraps: true };
  },
  async yarn(place) {
    const yarn = await tool(YARN.classic, 'yarn');
    project(place);
    await run(yarn, ['install', '--silent', '--no-lockfile', '--cache-folder', at.join('yarn-cache')], { cwd: place, env });
    return { commands: below(place, 'node_modules/.bin') };
  },
  async 'yarn, globally'(place) {
    const yarn = await tool(YARN.classic, 'yarn');
    mkdirSync(place, { recursive: true });
    const words = ['global', 'add', '--prefix', place, '--global-folder', path.join(place, 'folder'), '--cache-folder', at.join('yarn-cache')];
    await run(yarn, [...words, `file:${cli}`, `file:${oci}`], { cwd: place, env });
    return { commands: below(place, 'bin'), wraps: true };
  },
  async 'yarn 4 with node_modules'(place) {
    const yarn = await tool(YARN.modern, 'yarn');
    project(place);
    writeFileSync(path.join(place, '.yarnrc.yml'), 'nodeLinker: node-modules\nnpmMinimalAgeGate: 0\n');
    writeFileSync(path.join(place, 'yarn.lock'), '');
    await run(yarn, ['install'], { cwd: place, env });
    return { commands: below(place, 'node_modules/.bin') };
  },
};

function project(place: string): void {
  mkdirSync(place, { recursive: true });
  const dependencies = { lamella: `file:${cli}`, '@lamella/oci-runtime': `file:${oci}` };
  writeFileSync(path.join(place, 'package.json'), JSON.stringify({ name: 'user', version: '1.0.0', private: true, dependencies }));
}

const below = (place: string, bin: string): Installation['commands'] => ({
  lamella: path.join(place, bin, 'lamella'),
  'lamella-oci': path.join(place, bin, 'lamella-oci'),
});

/** Installs a package manager by npm. @returns the path of its command */
async function tool(spec: string, command: string): Promise<string> {
  const place = at.join('tools', spec);
  const file = path.join(place, 'node_modules/.bin', command);
  if (existsSync(file)) return file;
  mkdirSync(place, { recursive: true });
  await run('npm', ['install', '--prefix', place, spec], { env });
  return file;
}

describe.each(Object.keys(MANAGERS))('installed by %s', (manager) => {
  let installed: Installation;
  beforeAll(async () => {
    if (offline) return;
    installed = (await MANAGERS[manager]?.(at.join('installed', manager.replaceAll(/\W+/g, '-')))) as Installation;
  }, 300_000);

  const call = (command: (typeof COMMANDS)[number], where: 'good' | 'old' | 'none', more: NodeJS.ProcessEnv = {}) => {
    const { status, stdout, stderr } = spawnSync(installed.commands[command], ['--version'], {
      env: { HOME: at.join('home'), PATH: at.join('paths', where), ...more },
      encoding: 'utf8',
    });
    return { status, stdout, stderr };
  };

  test.for(COMMANDS)('%s reaches the native launcher without Node', (command, context) => {
    if (offline) skip(context, offline);
    const missing = at.join('missing-interpreter');
    writeFileSync(missing, '#!/missing\n', { mode: 0o755 });
    expect(call(command, 'none', { LAMELLA_NODE: missing })).toEqual({
      status: command === 'lamella' ? 125 : 1,
      stdout: '',
      stderr: `${command}: cannot execute ${missing}: it does not exist, or its interpreter does not\n`,
    });
  });

  test.for(COMMANDS)('%s says where it looked for Node before it has run once', (command, context) => {
    if (offline) skip(context, offline);
    expect(call(command, 'none')).toEqual({
      status: command === 'lamella' ? 125 : 1,
      stdout: '',
      stderr: expect.stringMatching(/there is no 'node' beside \S+ or in PATH: install Node 24 or later, or name one in LAMELLA_NODE\n$/),
    });
  });

  test.for(COMMANDS)('%s remembers its Node, whatever the PATH has', (command, context) => {
    if (offline) skip(context, offline);
    const works = { status: 0, stdout: expect.stringMatching(/^lamella(?:-oci version |\/)\d/), stderr: '' };
    expect(call(command, 'old')).not.toMatchObject({ status: 0 });
    expect(call(command, 'good')).toEqual(works);
    expect(call(command, 'old')).toEqual(works);
    expect(call(command, 'none')).toEqual(works);
  });

  test.for(COMMANDS)('%s starts no process before Node', (command, context) => {
    if (offline) skip(context, offline);
    if (installed.wraps) return;
    const strace = requiresProgram(context, 'strace');
    const log = at.join('trace');
    const { status } = spawnSync(strace, ['-f', '-qq', '-e', 'trace=process', '-o', log, installed.commands[command], '--version'], {
      env: { HOME: at.join('home'), PATH: at.join('paths/none'), LAMELLA_NODE: '/bin/true' },
    });
    const calls = spawnSync('sed', ['-E', 's/^[0-9]+ +//; s/\\(.*//', log], { encoding: 'utf8' }).stdout.split('\n');
    rmSync(log);
    expect({ status, calls: calls.filter((each) => /^(?:clone3?|v?fork|execve)$/.test(each)) }).toEqual({ status: 0, calls: ['execve', 'execve', 'execve'] });
  });
});

test('npx runs it', { timeout: 240_000 }, async (context) => {
  if (offline) skip(context, offline);
  const { stdout } = await run('npx', ['--yes', '--package', cli, 'lamella', '--version'], { cwd: at.path, env });
  expect(stdout).toMatch(/^lamella\/\d/);
});

test('yarn 4 without node_modules runs it', { timeout: 240_000 }, async (context) => {
  if (offline) skip(context, offline);
  const yarn = await tool(YARN.modern, 'yarn');
  const place = at.join('installed/pnp');
  project(place);
  writeFileSync(path.join(place, '.yarnrc.yml'), 'nodeLinker: pnp\nnpmMinimalAgeGate: 0\n');
  writeFileSync(path.join(place, 'yarn.lock'), '');
  await run(yarn, ['install'], { cwd: place, env });
  expect((await run(yarn, ['lamella', '--version'], { cwd: place, env })).stdout).toMatch(/^lamella\/\d/);
  expect((await run(yarn, ['lamella', 'doctor'], { cwd: place, env: { ...env, LAMELLA_ROOT: at.join('store') } }).catch((error) => error)).stdout).toMatch(
    /^interpreter +ok/m,
  );
});
