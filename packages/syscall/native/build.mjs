#!/usr/bin/env node
/**
 * Compiles lamella-init: static, without a libc, stripped.
 *
 *   node build.mjs [OUTPUT] [--arch x64|arm64]    with the first compiler that works (see compilers.mjs)
 *   node build.mjs --probe                        exit 0 if it is built, or can be; else 3, and why not
 *   node build.mjs --lint                         all warnings are errors, and nothing is written
 *   node build.mjs OUTPUT --sanitize | --fuzz     with ASan and UBSan, hosted; as a target of libFuzzer (clang)
 *
 * OUTPUT is the file in the platform's package beside this one if none is given.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { findCompiler } from './compilers.mjs';
import { staleTables } from './tables.mjs';

/** The exit status when no compiler works: bootstrap.mjs then brings one. */
const NO_COMPILER = 3;
const native = import.meta.dirname;
const {
  values,
  positionals: [named],
} = parseArgs({
  allowPositionals: true,
  options: {
    arch: { type: 'string', default: process.arch },
    probe: { type: 'boolean' },
    lint: { type: 'boolean' },
    sanitize: { type: 'boolean' },
    fuzz: { type: 'boolean' },
  },
});
const { arch } = values;
if (!['x64', 'arm64'].includes(arch)) fail(`there is no lamella-init for ${arch}: it is x64 or arm64`, 1);
const output = named ?? path.join(native, '..', '..', `init-linux-${arch}`, 'lamella-init');

/** The sources of a room, or its headers and tables. */
const inRoom = (room, ...endings) =>
  readdirSync(path.join(native, room))
    .filter((file) => endings.includes(path.extname(file)))
    .map((file) => `${room}/${file}`);
const ROOMS = ['base', 'wire', 'tree', 'ops', 'monitor', 'front', 'spawner', 'oci', 'launch'];
const headers = [...ROOMS.flatMap((room) => inRoom(room, '.h', '.def')), 'build.mjs', 'compilers.mjs'];
const common = ['entry/main.c', ...ROOMS.flatMap((room) => inRoom(room, '.c'))];
const release = ['entry/start.c', ...common];

function fail(message, status) {
  console.error(`lamella-init: ${message}`);
  process.exit(status);
}

/** Whether the output is newer than all that it is made of. */
function isBuilt(sources) {
  const newest = Math.max(...[...headers, ...sources].map((file) => statSync(path.join(native, file)).mtimeMs));
  return existsSync(output) && statSync(output).mtimeMs >= newest;
}

function compilerFor() {
  const { compiler, refused } = findCompiler(arch);
  if (!compiler) fail(`no C compiler here can make it for linux-${arch} (${refused.join('; ')}). Install one: apt-get install gcc libc6-dev`, NO_COMPILER);
  for (const each of refused.filter((why) => !why.startsWith('not installed'))) console.error(`lamella-init: ${each}; using ${compiler.name}`);
  return compiler;
}

/** The output appears whole, or not at all. */
function make(compile) {
  mkdirSync(path.dirname(output), { recursive: true });
  const partial = `${output}.${process.pid}.partial`;
  const { ok, said } = compile(partial);
  if (said) process.stderr.write(`${said.trimEnd()}\n`);
  if (ok) renameSync(partial, output);
  else rmSync(partial, { force: true });
  return ok;
}

function hosted(sources, compilers, sanitizers) {
  if (isBuilt(sources)) return true;
  const flags = ['-std=gnu11', '-I.', '-Wall', '-Wextra', '-Werror', '-g', '-O1', sanitizers, '-fno-sanitize-recover=all', '-fno-omit-frame-pointer'];
  for (const compiler of compilers) {
    let missing = false;
    const ok = make((partial) => {
      const { status, error, stderr } = spawnSync(compiler, [...flags, '-o', partial, ...sources], { cwd: native, encoding: 'utf8' });
      missing = error?.code === 'ENOENT';
      return { ok: status === 0, said: stderr ?? '' };
    });
    if (!missing) return ok;
  }
  return fail(`none of ${compilers.join(', ')} is installed`, 1);
}

if (values.fuzz) process.exit(hosted([...common, 'entry/fuzz.c'], ['clang'], '-fsanitize=fuzzer,address,undefined') ? 0 : 1);
if (values.sanitize)
  process.exit(hosted([...common, 'entry/hosted.c'], process.env.CC ? [process.env.CC] : ['cc', 'gcc', 'clang'], '-fsanitize=address,undefined') ? 0 : 1);
if (values.lint) {
  const stale = staleTables();
  if (stale.length) fail(`${stale.join(', ')} differs from the tables: run node packages/syscall/native/tables.mjs`, 1);
  const compiler = compilerFor();
  // Zig is there for machines without another compiler; what it warns of, clang does.
  const { ok, said } = compiler.lint?.([...release, 'entry/probe.c']) ?? { ok: true, said: '' };
  process.stderr.write(said);
  process.exit(ok ? 0 : 1);
}
if (isBuilt(release)) process.exit(0);
const compiler = compilerFor();
if (values.probe) process.exit(0);
process.exit(make((partial) => compiler.compile(release, partial)) ? 0 : 1);
