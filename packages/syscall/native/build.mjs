#!/usr/bin/env node
/**
 * Compiles lamella-init with the machine's C compiler: static, without a libc, stripped.
 *
 *   node build.mjs [OUTPUT] [--sanitize | --fuzz]
 *
 * OUTPUT defaults to the platform package beside this one. `--sanitize` makes an ASan+UBSan binary,
 * `--fuzz` the libFuzzer target (both need clang or a hosted gcc).
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, statSync } from 'node:fs';
import path from 'node:path';

const native = import.meta.dirname;
const args = process.argv.slice(2);
const mode = args.includes('--fuzz') ? 'fuzz' : args.includes('--sanitize') ? 'sanitize' : 'release';
const output = args.find((arg) => !arg.startsWith('--')) ?? path.join(native, '..', '..', `init-linux-${process.arch}`, 'lamella-init');

const headers = ['sys.h', 'frame.h', 'interpreter.h', 'monitor.h', 'names.h', 'build.mjs'];
const common = [
  'main.c',
  'frame.c',
  'ops.c',
  'tree.c',
  'walk.c',
  'names.c',
  'copy.c',
  'place.c',
  'monitor.c',
  'child.c',
  'serve.c',
  'terminal.c',
  'clients.c',
  'log.c',
  'records.c',
  'front.c',
];
const sources = { release: ['start.c', ...common], sanitize: [...common, 'hosted.c'], fuzz: [...common, 'fuzz.c'] }[mode];
const newest = Math.max(...[...headers, ...sources].map((file) => statSync(path.join(native, file)).mtimeMs));
if (existsSync(output) && statSync(output).mtimeMs >= newest) process.exit(0);

const warnings = ['-std=gnu11', '-Wall', '-Wextra', '-Werror'];
const flags = {
  release: [
    '-Os',
    '-static',
    '-nostdlib',
    '-ffreestanding',
    '-fno-pie',
    '-no-pie',
    '-fno-asynchronous-unwind-tables',
    '-fno-unwind-tables',
    '-fno-tree-loop-distribute-patterns',
    '-fstack-protector-strong',
    ...(process.arch === 'x64' ? ['-mstack-protector-guard=global'] : []),
    '-ffunction-sections',
    '-fdata-sections',
    '-s',
    '-Wl,--gc-sections,--build-id=none,-z,noseparate-code,-z,norelro,-z,noexecstack',
  ],
  sanitize: ['-g', '-O1', '-fsanitize=address,undefined', '-fno-sanitize-recover=all', '-fno-omit-frame-pointer'],
  fuzz: ['-g', '-O1', '-fsanitize=fuzzer,address,undefined', '-fno-sanitize-recover=all'],
}[mode];
const compilers = mode === 'fuzz' ? ['clang'] : process.env.CC ? [process.env.CC] : ['cc', 'gcc', 'clang'];

mkdirSync(path.dirname(output), { recursive: true });
const partial = `${output}.${process.pid}.partial`;
for (const compiler of compilers) {
  const built = spawnSync(compiler, [...warnings, ...flags, '-o', partial, ...sources], { cwd: native, encoding: 'utf8' });
  if (built.error?.code === 'ENOENT') continue;
  if (built.error) throw built.error;
  process.stderr.write(built.stderr);
  if (built.status === 0) renameSync(partial, output);
  process.exit(built.status ?? 1);
}
console.error(`lamella-init: no C compiler found (tried ${compilers.join(', ')}). Install one: apt-get install gcc libc6-dev`);
process.exit(1);
