import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { findProgram, requiresProgram, scratch } from '@lamella-test/scratch';
import { expect, test } from 'vitest';

/** Which compiler makes lamella-init, on machines whose compilers are missing or broken. */
const native = path.join(import.meta.dirname, '../../native');

/** Looks for a compiler, with these programs on the PATH and no others. */
function probe(at: string, programs: Readonly<Record<string, string>>, env: Readonly<Record<string, string>> = {}) {
  const bin = path.join(at, 'bin');
  mkdirSync(bin);
  for (const [name, script] of Object.entries(programs)) {
    writeFileSync(path.join(bin, name), `#!/bin/sh\n${script}\n`);
    chmodSync(path.join(bin, name), 0o755);
  }
  const output = path.join(at, 'lamella-init');
  // A Zig of the checkout's own would do as well; here none is meant.
  const { status, stderr } = spawnSync(process.execPath, [path.join(native, 'build.mjs'), output, '--probe'], {
    encoding: 'utf8',
    env: { PATH: bin, LAMELLA_ZIG: path.join(at, 'no-zig'), ...env },
  });
  return { status, stderr: stderr.trimEnd(), isMade: existsSync(output) };
}

const gcc = findProgram('gcc');
/** As a gcc with its linker and assembler, whose directory is not on the PATH. */
const WORKS = `PATH=/usr/bin:/bin exec ${gcc} "$@"`;
const NO_HEADERS = 'echo "sys.h:13:10: fatal error: linux/errno.h: No such file or directory" >&2; exit 1';
const MAKES_NOTHING_THAT_RUNS = 'while [ "$1" != -o ]; do shift; done; echo "not a program" > "$2"; /bin/chmod 755 "$2"';

test.each<[string, Record<string, string>, Record<string, string>, RegExp]>([
  ['cc without headers', { cc: NO_HEADERS, gcc: WORKS }, {}, /^lamella-init: cc: .*linux\/errno\.h: No such file or directory; using gcc$/m],
  ['cc without its own parts', { cc: 'exit 127', gcc: WORKS }, {}, /^lamella-init: cc: ended by status 127; using gcc$/m],
  ['cc for another machine', { cc: MAKES_NOTHING_THAT_RUNS, gcc: WORKS }, {}, /^lamella-init: cc: what it makes does not run here .*; using gcc$/m],
  ['a CC that is broken', { cc: WORKS, mine: 'exit 1' }, { CC: 'mine' }, /^lamella-init: mine: ended by status 1; using cc$/m],
  ['no cc', { gcc: WORKS }, {}, /^$/],
])('%s: another one is taken, and what was wrong is said', async (_, programs, env, says) => {
  if (!gcc) return expect(findProgram('cc')).toBeUndefined();
  await using at = scratch();
  const probed = probe(at.path, programs, env);
  expect(probed).toMatchObject({ status: 0, isMade: false });
  expect(probed.stderr).toMatch(says);
});

test('without any that works it says what was tried', async () => {
  await using at = scratch();
  const probed = probe(at.path, { cc: NO_HEADERS, clang: 'exit 1' });
  expect(probed).toMatchObject({ status: 3, isMade: false });
  expect(probed.stderr).toMatch(/cc: .*linux\/errno\.h: No such file or directory; clang: ended by status 1; not installed: gcc/);
  expect(probed.stderr).toContain('apt-get install gcc libc6-dev');
});

test('clang makes it as gcc does', async (context) => {
  const clang = requiresProgram(context, 'clang');
  await using at = scratch();
  mkdirSync(at.join('bin'));
  symlinkSync(clang, at.join('bin/cc'));
  const { status, stderr } = spawnSync(process.execPath, [path.join(native, 'build.mjs'), at.join('lamella-init')], {
    encoding: 'utf8',
    env: { PATH: `${at.join('bin')}:/usr/bin:/bin` },
  });
  expect([status, stderr]).toEqual([0, '']);
});

test('the program that compilers are tried with includes each header that the sources include', () => {
  const headers = (file: string): string[] =>
    [...readFileSync(path.join(native, file), 'utf8').matchAll(/^#include <(.+)>$/gm)].map(([, header = '']) => header);
  const probed = new Set([...headers('entry/probe.c'), ...headers('base/sys.h')]);
  const hosted = ['entry/hosted.c', 'entry/fuzz.c', 'entry/probe.c'];
  const missing = readdirSync(native, { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.[ch]$/.test(file) && !hosted.includes(file))
    .flatMap(headers)
    .filter((header) => !probed.has(header));
  expect(missing).toEqual([]);
});
