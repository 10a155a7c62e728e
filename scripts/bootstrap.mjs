#!/usr/bin/env node
/**
 * From a fresh clone to a running Lamella with Node 20 and npm alone: brings the pinned Node and
 * pnpm into `.toolchain/`, installs, builds, then does what was asked. No dependencies; nothing
 * outside the checkout is written.
 *
 *   node scripts/bootstrap.mjs start | test | build | exec COMMAND…
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const root = path.join(import.meta.dirname, '..');
const toolchain = path.join(root, '.toolchain');
const versions = JSON.parse(readFileSync(path.join(root, 'scripts/toolchain.json'), 'utf8'));
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
  writeFileSync(stamp, content);
}

function installToolchain() {
  if (process.platform !== 'linux' || !['x64', 'arm64'].includes(process.arch))
    fail(`this needs Linux on x64 or arm64; here it is ${process.platform} on ${process.arch}`);
  stamped('toolchain', JSON.stringify(versions), !existsSync(node) || !existsSync(pnpm), () => {
    mkdirSync(toolchain, { recursive: true });
    writeFileSync(path.join(toolchain, 'package.json'), '{ "private": true }\n');
    step(`Node ${versions.node} and pnpm ${versions.pnpm}, from npm into .toolchain/`, 'npm', [
      'install',
      '--prefix',
      toolchain,
      '--no-save',
      '--no-audit',
      '--no-fund',
      '--no-package-lock',
      `${nodePackage}@${versions.node}`,
      `pnpm@${versions.pnpm}`,
    ]);
  });
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
installToolchain();
const env = pinnedEnv();
installDependencies(env);
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
    fail(`'${command}' is not one of start, test, build, exec`);
}
