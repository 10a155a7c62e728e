import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { requiresProgram, skip } from '@lamella-test/scratch';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeProgram, FRAME_MAX, interpreterPath, OPCODES, type Op } from '../index.js';

const native = path.join(import.meta.dirname, '../../native');
const scratch = mkdtempSync(path.join(tmpdir(), 'lamella-interpreter-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

interface Verdict {
  readonly opcodes: readonly number[];
  /** The errno it refused the stream with. */
  readonly refused: number | undefined;
}

/** What an interpreter's decoder makes of frames, without running them. */
function check(interpreter: string, frames: Uint8Array): Verdict {
  const [input, output] = [path.join(scratch, 'frames'), path.join(scratch, 'replies')];
  writeFileSync(input, frames);
  const [three, four] = [openSync(input, 'r'), openSync(output, 'w')];
  const { status, stderr } = spawnSync(interpreter, ['check'], { stdio: ['ignore', 'ignore', 'pipe', three, four], env: { ASAN_OPTIONS: 'detect_leaks=0' } });
  closeSync(three);
  closeSync(four);
  const replies = readFileSync(output);
  const opcodes: number[] = [];
  let refused: number | undefined;
  for (let at = 0; at < replies.length; at += replies.readUInt32LE(at)) {
    if (replies.readUInt16LE(at + 4) === 1) opcodes.push(Number(replies.readBigInt64LE(at + 12)));
    else refused = replies.readUInt16LE(at + 6);
  }
  expect({ status, stderr: stderr.toString() }).toEqual({ status: refused === undefined ? 0 : 125, stderr: '' });
  return { opcodes, refused };
}

/** One op of each kind, by the table of the TypeScript side. */
const oneOfEach: Op[] = Object.entries(OPCODES).map(([op, shape]) => {
  if (op === 'execve') return { op, pathname: '/x', argv: ['a', 'b'], envp: ['A=b'] };
  if (op === 'serve') return { op, signal: 15, program: [{ op: 'setsid' }] };
  if (op === 'clone') return { op, flags: 0, monitor: 0, cgroup: -1, program: [{ op: 'setsid' }] };
  if (op === 'on_exit' || op === 'attempt') return { op, program: [{ op: 'setsid' }] };
  if (op === 'setgroups') return { op, list: [1, 2] };
  const numbers = shape.numbers.map((name, i) => [name, i]);
  return { op, ...Object.fromEntries([...numbers, ...shape.strings.map((name) => [name, op === 'go' ? [] : 'text'])]) } as Op;
});

const MALFORMED: readonly (readonly [what: string, edit: (frame: Buffer) => Buffer | number, errno: string])[] = [
  ['a length below the header', (frame) => frame.writeUInt32LE(11, 0), 'EBADMSG'],
  ['a length above the maximum', (frame) => frame.writeUInt32LE(FRAME_MAX + 1, 0), 'EMSGSIZE'],
  ['an opcode that does not exist', (frame) => frame.writeUInt16LE(99, 4), 'ENOSYS'],
  ['an unknown flag', (frame) => frame.writeUInt8(0x80, 6), 'EBADMSG'],
  ['more ignored errnos than there is room for', (frame) => frame.writeUInt8(9, 7), 'EBADMSG'],
  ['a string longer than its frame', (frame) => frame.writeUInt32LE(0xfffffff0, 28), 'EBADMSG'],
  ['a string without its NUL', (frame) => frame.writeUInt8(1, frame.length - 1), 'EBADMSG'],
  ['a NUL inside of a path', (frame) => frame.writeUInt8(0, frame.length - 2), 'EBADMSG'],
  ['NULL where there has to be a string', (frame) => frame.writeUInt32LE(0xffffffff, 28), 'EBADMSG'],
  [
    'bytes left over',
    (frame) => {
      const longer = Buffer.concat([frame, Buffer.alloc(3)]);
      longer.writeUInt32LE(longer.length, 0);
      return longer;
    },
    'EBADMSG',
  ],
  ['an end in the middle of a frame', (frame) => frame.subarray(0, frame.length - 1), 'EPROTO'],
];
const ERRNO: Readonly<Record<string, number>> = { EBADMSG: 74, EMSGSIZE: 90, ENOSYS: 38, EPROTO: 71 };

const builds: { name: string; path: () => string }[] = [{ name: 'the release build', path: interpreterPath }];
const sanitized = path.join(native, 'build/lamella-init-sanitized');
builds.push({ name: 'the build with ASan and UBSan', path: () => sanitized });

test('the tables of C and TypeScript agree', () => {
  const { status, stderr } = spawnSync(process.execPath, [path.join(native, 'tables.mjs'), '--check'], { encoding: 'utf8' });
  expect([status, stderr]).toEqual([0, '']);
});

test('openat2 is called in one place, which tries again what a rename elsewhere disturbed', () => {
  const callers = readdirSync(native, { recursive: true, encoding: 'utf8' }).filter(
    (file) => file.endsWith('.c') && /\bSYS\(openat2,/.test(readFileSync(path.join(native, file), 'utf8')),
  );
  expect(callers).toEqual(['tree/open.c']);
});

beforeAll(() => {
  mkdirSync(path.dirname(sanitized), { recursive: true });
  const built = spawnSync(process.execPath, [path.join(native, 'build.mjs'), sanitized, '--sanitize'], { encoding: 'utf8' });
  expect(built.stderr).toBe('');
});

describe.each(builds)('$name', (build) => {
  test('knows the ops of the TypeScript table, and no other shape of them', () => {
    expect(check(build.path(), encodeProgram(oneOfEach))).toEqual({ opcodes: Object.values(OPCODES).map((shape) => shape.code), refused: undefined });
  });

  test.each(MALFORMED)('refuses %s', (_, edit, errno) => {
    const whole = encodeProgram([{ op: 'mkdirat', dirfd: 5, mode: 7, pathname: 'ab' }]);
    const frame = Buffer.from(whole);
    const edited = edit(frame);
    expect(check(build.path(), Buffer.isBuffer(edited) ? edited : frame).refused).toBe(ERRNO[errno]);
  });

  test('refuses a malformed frame inside of a nested program, and programs nested too deep', () => {
    const inner = encodeProgram([{ op: 'on_exit', program: [{ op: 'chdir', path: 'ab' }] }]);
    const broken = Buffer.from(inner);
    broken.writeUInt8(0, broken.indexOf('ab'));
    expect(check(build.path(), broken).refused).toBe(ERRNO.EBADMSG);
    const deep = Array.from({ length: 6 }).reduce<Op>((op) => ({ op: 'on_exit', program: [op] }), { op: 'setsid' });
    expect(check(build.path(), encodeProgram([deep])).refused).toBe(ERRNO.EBADMSG);
  });

  test('survives any damage to a valid stream', { timeout: 120_000 }, () => {
    const valid = encodeProgram(oneOfEach);
    fc.assert(
      fc.property(
        fc.array(fc.record({ at: fc.nat(valid.length - 1), to: fc.nat(255) }), { minLength: 1, maxLength: 8 }),
        fc.nat(valid.length),
        (edits, cut) => {
          const damaged = Buffer.from(valid.subarray(0, cut));
          for (const { at, to } of edits) if (at < cut) damaged[at] = to;
          check(build.path(), damaged);
        },
      ),
      { numRuns: 150 },
    );
  });
});

test('libFuzzer finds nothing in the decoder', { timeout: 180_000 }, (context) => {
  requiresProgram(context, 'clang');
  const fuzzer = path.join(native, 'build/fuzz');
  const built = spawnSync(process.execPath, [path.join(native, 'build.mjs'), fuzzer, '--fuzz'], { encoding: 'utf8' });
  if (!existsSync(fuzzer) && /fuzzer/.test(built.stderr)) skip(context, 'this clang has no libFuzzer');
  expect(built.status, built.stderr).toBe(0);
  const corpus = path.join(scratch, 'corpus');
  mkdirSync(corpus);
  for (const [i, op] of oneOfEach.entries()) writeFileSync(path.join(corpus, String(i)), encodeProgram([op]));
  const run = spawnSync(fuzzer, ['-runs=200000', '-max_total_time=20', '-max_len=512', '-print_final_stats=1', corpus], { cwd: scratch, encoding: 'utf8' });
  expect(run.status, run.stderr.slice(-2000)).toBe(0);
  expect(run.stderr).toMatch(/stat::number_of_executed_units: *[1-9]\d{3,}/);
});

test('the binary is static, small, and asks for no executable stack', () => {
  const binary = readFileSync(interpreterPath());
  expect(binary.length).toBeLessThan(96 * 1024);
  const [at, size, count] = [Number(binary.readBigUInt64LE(32)), binary.readUInt16LE(54), binary.readUInt16LE(56)];
  const types = Array.from({ length: count }, (_, i) => binary.readUInt32LE(at + i * size));
  expect(types).not.toContain(3); // PT_INTERP
});

test('started by hand it says what it is', () => {
  const { status, stderr } = spawnSync(interpreterPath(), [], { encoding: 'utf8' });
  expect({ status, stderr }).toEqual({ status: 125, stderr: expect.stringContaining('not meant to be started by hand') });
});
