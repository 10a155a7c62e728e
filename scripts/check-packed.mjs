#!/usr/bin/env node
/**
 * Runs before a package is packed (`prepack`), in the package: refuses to pack one that is not built. All that its
 * package.json names has to be there, and outputs whose source is gone are removed. A binary has to be what its package says, and is run.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, globSync, openSync, readFileSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { removeStaleBundles } from './bundle-list.mjs';

const root = path.join(import.meta.dirname, '..');
const manifest = JSON.parse(readFileSync('package.json', 'utf8'));
const ELF_MACHINE = { x64: 62, arm64: 183 };

function fail(message) {
  console.error(`${manifest.name} is not packed: ${message}`);
  process.exit(1);
}

/** Every path of the package that a value of its package.json names, however deep. */
function named(value) {
  if (typeof value === 'string') return value.startsWith('./') || /^[\w.-]+\//.test(value) ? [value] : [];
  return value && typeof value === 'object' ? Object.values(value).flatMap(named) : [];
}

const { exports: entries, bin, main, types, oclif = {} } = manifest;
const wanted = [entries, bin, main, types, oclif.commands?.target, oclif.hooks].flatMap(named);
for (const file of wanted) if (!existsSync(file)) fail(`it has no ${file}. Build it: node scripts/bootstrap.mjs build`);
for (const pattern of manifest.files ?? [])
  if (!pattern.startsWith('!') && !globSync(pattern).length) fail(`nothing is ${pattern}, which its "files" name. Build it: node scripts/bootstrap.mjs build`);

// What tsc made of a source that is gone, or with other options, is still there, and in turbo's cache.
for (const file of globSync('dist/**/*.{js,d.ts,map}', { exclude: ['dist/page/**'] }))
  if (file.endsWith('.map') || !existsSync(file.replace(/^dist/, 'src').replace(/(?:\.d)?\.(?:js|ts)$/, '.ts'))) rmSync(file);
for (const file of removeStaleBundles('.')) if (!existsSync(file)) fail(`it has no ${file}, a bundle. Build it: node scripts/bootstrap.mjs build`);

const [, arch] = /^@lamella\/init-linux-(\w+)$/.exec(manifest.name) ?? [];
if (arch) await checkBinary('lamella-init', arch);

async function checkBinary(file, arch) {
  if (!(statSync(file).mode & 0o111)) fail(`${file} is not executable`);
  const elf = readFileSync(file);
  if (elf.toString('latin1', 0, 4) !== '\x7fELF' || elf.readUInt16LE(18) !== ELF_MACHINE[arch]) fail(`${file} is no program for linux-${arch}`);
  const qemu = { arm64: 'qemu-aarch64-static', x64: 'qemu-x86_64-static' }[arch];
  if (arch !== process.arch) {
    // It reads no frames from descriptor 3, and replies nothing by 4.
    const nothing = openSync('/dev/null', 'r+');
    const { status, error, stderr } = spawnSync(qemu, [file, 'check'], { stdio: ['ignore', 'ignore', 'pipe', nothing, nothing], encoding: 'utf8' });
    if (error?.code === 'ENOENT') return console.error(`${manifest.name}: ${file} is for linux-${arch}; it cannot be run here without ${qemu}`);
    if (status !== 0) fail(`${file} ends with status ${status} in ${qemu}: ${stderr}`);
    return;
  }
  process.env.LAMELLA_INIT = path.resolve(file);
  const syscall = path.join(root, 'packages/syscall/dist/index.js');
  if (!existsSync(syscall)) fail('@lamella/syscall is not built, which runs it. Build it: node scripts/bootstrap.mjs build');
  const { run } = await import(pathToFileURL(syscall));
  const program = [{ op: 'execve', pathname: process.execPath, argv: ['node', '--eval', 'process.exit(7)'], envp: [] }];
  const ended = await run([{ op: 'clone', flags: 0, monitor: 0, program }]).catch((error) => fail(`${file} does not run: ${error.message}`));
  if (ended.exited?.status !== 7) fail(`${file} does not run a command: ${JSON.stringify(ended.exited)}`);
}
