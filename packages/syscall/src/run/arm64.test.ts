import { spawnSync } from 'node:child_process';
import { closeSync, lstatSync, mkdirSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { findProgram, type ScratchDirectory, scratch, skip } from '@lamella-test/scratch';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { AT_FDCWD, encodeProgram, interpreterPath, O, OPCODES, type Op, type Reply, replyParser, S_IF } from '../index.js';

/**
 * The binary for arm64 in qemu-user does the same as the binary of this machine. qemu 7.2 has no openat2, clone3, fsopen and
 * mount_setattr, so programs that need them run on a real machine only.
 */

const native = path.join(import.meta.dirname, '../../native');
const QEMU = 'qemu-aarch64-static';

let at: ScratchDirectory;
let emulated = '';
let missing = '';

beforeAll(() => {
  at = scratch();
  const qemu = findProgram(QEMU);
  if (process.arch === 'arm64') missing = 'this machine runs the binary itself, in all other tests';
  else if (!qemu) missing = `${QEMU} is not installed (apt-get install qemu-user-static)`;
  if (missing) return;
  const binary = at.join('lamella-init');
  const { status, stderr } = spawnSync(process.execPath, [path.join(native, 'build.mjs'), binary, '--arch', 'arm64'], { encoding: 'utf8' });
  if (status === 3) missing = `no compiler for arm64 (node scripts/bootstrap.mjs zig): ${stderr.trim()}`;
  else expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  emulated = at.join('emulated');
  writeFileSync(emulated, `#!/bin/sh\nexec ${qemu} ${binary} "$@"\n`, { mode: 0o755 });
}, 120_000);
beforeEach((context) => {
  if (missing) skip(context as never, missing);
});
afterAll(() => at[Symbol.asyncDispose]());

interface Ended {
  readonly status: number | null;
  readonly stderr: string;
  readonly replies: readonly Reply[];
}

/** Runs frames by an interpreter, in a directory. */
function interpret(interpreter: string, role: 'check' | 'sealed', frames: Uint8Array, cwd: string): Ended {
  writeFileSync(at.join('frames'), frames);
  const [input, output] = [openSync(at.join('frames'), 'r'), openSync(at.join('replies'), 'w')];
  const { status, stderr } = spawnSync(interpreter, [role], { cwd, stdio: ['ignore', 'ignore', 'pipe', input, output], encoding: 'utf8' });
  closeSync(input);
  closeSync(output);
  const replies: Reply[] = [];
  replyParser((reply) => replies.push(reply))(readFileSync(at.join('replies')));
  return { status, stderr, replies };
}

function directory(name: string): string {
  const place = at.join(name);
  mkdirSync(place, { recursive: true });
  return place;
}

describe('the decoder', () => {
  const oneOfEach: Op[] = Object.entries(OPCODES).flatMap(([op, { numbers, strings, kinds }]): Op[] => {
    if (/[pn]/.test(kinds) || ['execve', 'setgroups', 'go'].includes(op)) return [];
    return [{ op, ...Object.fromEntries([...numbers.map((name, i) => [name, i]), ...strings.map((name) => [name, 'text'])]) } as Op];
  });
  const valid = encodeProgram([...oneOfEach, { op: 'execve', pathname: '/x', argv: ['a'], envp: ['A=b'] }, { op: 'on_exit', program: [{ op: 'setsid' }] }]);
  const check = (interpreter: string, frames: Uint8Array): Ended => interpret(interpreter, 'check', frames, at.path);

  test('accepts every op', () => {
    const ended = check(emulated, valid);
    expect(ended).toMatchObject({ status: 0, stderr: '' });
    expect(ended.replies.length).toBeGreaterThan(oneOfEach.length);
    expect(ended).toEqual(check(interpreterPath(), valid));
  });

  test('refuses the same damaged streams', () => {
    const edits = fc.array(fc.record({ place: fc.nat(valid.length - 1), to: fc.nat(255) }), { minLength: 1, maxLength: 4 });
    for (const each of fc.sample(edits, 60)) {
      const damaged = Buffer.from(valid);
      for (const { place, to } of each) damaged[place] = to;
      expect(check(emulated, damaged)).toEqual(check(interpreterPath(), damaged));
    }
  });
});

const at5 = { dirfd: 5 } as const;
const WRITE = O.WRONLY | O.CREAT | O.CLOEXEC;
/** Programs of ops that qemu knows, each in an empty directory. */
const PROGRAMS: Readonly<Record<string, readonly Op[]>> = {
  'files and directories': [
    { op: 'openat', dirfd: AT_FDCWD, pathname: '.', flags: O.PATH | O.DIRECTORY | O.CLOEXEC, mode: 0, out: 5 },
    { op: 'mkdirat', ...at5, pathname: 'directory', mode: 0o750 },
    { op: 'write_file', ...at5, pathname: 'directory/file', flags: WRITE, mode: 0o640, data: 'content' },
    { op: 'symlinkat', target: 'file', newdirfd: 5, linkpath: 'directory/link' },
    { op: 'linkat', olddirfd: 5, oldpath: 'directory/file', newdirfd: 5, newpath: 'hard', flags: 0 },
    { op: 'renameat2', olddirfd: 5, oldpath: 'hard', newdirfd: 5, newpath: 'renamed', flags: 0 },
    { op: 'fchmodat', ...at5, pathname: 'renamed', mode: 0o4711 },
    { op: 'mknodat', ...at5, pathname: 'fifo', mode: S_IF.IFIFO | 0o600, major: 0, minor: 0 },
    { op: 'read_file', ...at5, pathname: 'directory/link' },
    { op: 'copy_file', ...at5, pathname: 'renamed', newpath: 'copied' },
    { op: 'unlinkat', ...at5, pathname: 'fifo', flags: 0 },
  ] as unknown as readonly Op[],
  'failures that are allowed': [
    { op: 'mkdirat', dirfd: AT_FDCWD, pathname: 'missing/one', mode: 0o755, ignore: ['ENOENT'] },
    { op: 'chdir', path: '/nowhere', ignore: ['ENOENT', 'ENOTDIR'] },
    { op: 'umask', mask: 0o27, reply: true },
    { op: 'mkdirat', dirfd: AT_FDCWD, pathname: 'masked', mode: 0o777 },
  ] as unknown as readonly Op[],
  'a failure that ends it, and the program on exit': [
    { op: 'on_exit', program: [{ op: 'mkdirat', dirfd: AT_FDCWD, pathname: 'left', mode: 0o700 }] },
    { op: 'openat', dirfd: AT_FDCWD, pathname: 'missing', flags: O.RDONLY, mode: 0, out: 5 },
    { op: 'mkdirat', dirfd: AT_FDCWD, pathname: 'never', mode: 0o700 },
  ] as unknown as readonly Op[],
  'the process itself': [
    { op: 'prctl', option: 39, arg2: 0, arg3: 0, arg4: 0, arg5: 0, reply: true },
    { op: 'prctl', option: 38, arg2: 1, arg3: 0, arg4: 0, arg5: 0 },
    { op: 'prctl', option: 39, arg2: 0, arg3: 0, arg4: 0, arg5: 0, reply: true },
    { op: 'setsid' },
  ] as unknown as readonly Op[],
};

/** What is in a directory: names, types, modes and contents. */
function listed(place: string): readonly string[] {
  return readdirSync(place, { recursive: true, encoding: 'utf8' })
    .sort()
    .map((name) => {
      const file = path.join(place, name);
      const stat = lstatSync(file);
      return `${name} ${stat.mode.toString(8)} ${stat.nlink} ${stat.isFile() ? readFileSync(file, 'utf8') : ''}`;
    });
}

test.each(Object.entries(PROGRAMS))('a program does the same: %s', (name, program) => {
  const frames = encodeProgram(program);
  const [own, theirs] = [directory(`own ${name}`), directory(`arm64 ${name}`)];
  const ours = interpret(interpreterPath(), 'sealed', frames, own);
  expect(interpret(emulated, 'sealed', frames, theirs)).toEqual(ours);
  expect(listed(theirs)).toEqual(listed(own));
  expect([...ours.replies.map(({ kind }) => kind), ...listed(own)]).not.toEqual([]);
});

test('the launcher finds Node and passes the words on', () => {
  const show = at.join('node');
  writeFileSync(show, '#!/bin/sh\nprintf "%s\\n" "$@"\n', { mode: 0o755 });
  const call = (binary: string, env: NodeJS.ProcessEnv): object => {
    const { status, stdout, stderr } = spawnSync(binary, ['launch', 'lamella-oci', at.path, '/nowhere/lamella-oci', '--x', '', 'a b'], {
      env,
      encoding: 'utf8',
    });
    return { status, stdout, stderr };
  };
  for (const env of [{ LAMELLA_NODE: show }, { PATH: at.path }, { PATH: '/nowhere' }, { PATH: '/nowhere', LAMELLA_NODE: '/nowhere' }])
    expect(call(emulated, env)).toEqual(call(interpreterPath(), env));
  expect(call(emulated, { PATH: `/nowhere:${at.path}` })).toEqual({ status: 0, stdout: '/nowhere/lamella-oci\n:\n:--x\n:\n:a b\n', stderr: '' });
});
