import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeProgram, encodeProgram, explain, explainText, FRAME_MAX, flatten, OPCODES, type Op, type Program } from '../index.js';

const text = fc.string({ unit: 'grapheme', maxLength: 60 }).filter((s) => !s.includes('\0') && s.isWellFormed());
const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array));
const number = fc.maxSafeInteger();
const errnos = fc.uniqueArray(fc.constantFrom('ENOENT', 'EEXIST', 'EPERM', 'EINVAL', 'EBUSY'), { maxLength: 4 });

/** Any op at all whose fields are numbers and strings, by the table. */
const plainOp: fc.Arbitrary<Op> = fc
  .constantFrom(
    ...Object.entries(OPCODES).filter(
      ([name]) =>
        ![
          'execve',
          'clone',
          'on_exit',
          'serve',
          'attempt',
          'setgroups',
          'signal',
          'resize',
          'go',
          'input',
          'stop',
          'end_input',
          'watch',
          'leave',
          'foreground',
        ].includes(name),
    ),
  )
  .chain(
    ([name, shape]) =>
      fc
        .record({
          numbers: fc.tuple(...shape.numbers.map(() => number)),
          strings: fc.tuple(...shape.strings.map(() => text)),
          ignore: errnos,
          reply: fc.boolean(),
          replace: fc.boolean(),
        })
        .map(({ numbers, strings, ignore, reply, replace }) => ({
          op: name,
          ...Object.fromEntries(shape.numbers.map((field, i) => [field, numbers[i]])),
          ...Object.fromEntries(shape.strings.map((field, i) => [field, strings[i]])),
          ...(ignore.length ? { ignore } : {}),
          ...(reply ? { reply } : {}),
          ...(replace ? { replace } : {}),
        })) as fc.Arbitrary<Op>,
  );
const execveOp: fc.Arbitrary<Op> = fc.record({
  op: fc.constant('execve' as const),
  pathname: text,
  argv: fc.array(text, { maxLength: 5 }),
  envp: fc.array(text, { maxLength: 5 }),
});
const groupsOp: fc.Arbitrary<Op> = fc.record({
  op: fc.constant('setgroups' as const),
  list: fc.array(fc.integer({ min: 0, max: 0xffffffff }), { maxLength: 9 }),
});
const flatProgram: fc.Arbitrary<Program> = fc.array(fc.oneof(plainOp, execveOp, groupsOp), { maxLength: 12 });
const program: fc.Arbitrary<Program> = fc
  .tuple(flatProgram, flatProgram, flatProgram)
  .map(([before, inside, after]) => [
    ...before,
    { op: 'on_exit', program: after },
    { op: 'serve', signal: 15, program: inside },
    { op: 'attempt', program: inside, ignore: ['ENOENT'] },
    { op: 'clone', flags: 0x20000, monitor: 0, cgroup: -1, program: inside },
  ]);

/** Byte strings come back as Buffers: make both sides text. */
function readable(value: unknown): unknown {
  if (Buffer.isBuffer(value)) return value.toString('utf8');
  if (Array.isArray(value)) return value.map(readable);
  if (value && typeof value === 'object') return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, readable(each)]));
  return value;
}

describe('frames', () => {
  test('decoding is the inverse of encoding', () => {
    fc.assert(
      fc.property(program, (ops) => {
        expect(readable(decodeProgram(encodeProgram(ops)))).toEqual(readable(ops));
      }),
    );
  });

  test('every op, nested ones included, has the index that flatten gives it', () => {
    fc.assert(
      fc.property(program, (ops) => {
        const indexes: number[] = [];
        const visit = (frames: Buffer): void => {
          for (let at = 0; at < frames.length; at += frames.readUInt32LE(at)) {
            indexes.push(frames.readUInt32LE(at + 8));
            const code = frames.readUInt16LE(at + 4);
            if (code === OPCODES.clone.code) visit(nested(frames, at, 3));
            if (code === OPCODES.serve.code) visit(nested(frames, at, 1));
            if (code === OPCODES.attempt.code) visit(nested(frames, at, 0));
            if (code === OPCODES.on_exit.code) visit(nested(frames, at, 0));
          }
        };
        visit(encodeProgram(ops));
        expect(indexes).toEqual(flatten(ops).map((_, i) => i));
      }),
    );
  });

  test('raw bytes survive in byte strings', () => {
    fc.assert(
      fc.property(bytes, (buf) => {
        const [op] = decodeProgram(encodeProgram([{ op: 'write', fd: 5, buf }]));
        expect(op).toMatchObject({ op: 'write', fd: 5, buf });
      }),
    );
  });

  test('a string with a NUL, a fraction, and an unknown errno are refused while encoding', () => {
    expect(() => encodeProgram([{ op: 'chdir', path: 'a\0b' }])).toThrow(/NUL/);
    expect(() => encodeProgram([{ op: 'umask', mask: 0.5 }])).toThrow(/'mask' is not an integer/);
    expect(() => encodeProgram([{ op: 'chdir', path: '/', ignore: ['EWHAT'] }])).toThrow(/no errno 'EWHAT'/);
    expect(() => encodeProgram([{ op: 'nosuch' } as unknown as Op])).toThrow(/no op 'nosuch'/);
    expect(() => encodeProgram([{ op: 'execve', pathname: '/x', argv: ['a\0'], envp: [] }])).toThrow(/'argv' has a NUL/);
  });

  test('lists that a nested program executes with again are sent once, and decoded each time', () => {
    const list = ['x'.repeat(1000)];
    const exec = (pathname: string, argv = list): Op => ({ op: 'execve', pathname, argv, envp: list, ignore: ['ENOENT'] });
    const ops = [exec('/a'), { op: 'setsid' } as const, exec('/b'), exec('/c', ['other']), exec('/d')];
    const nest: Program = [{ op: 'clone', flags: 0, monitor: 0, cgroup: -1, program: ops }];
    expect(readable(decodeProgram(encodeProgram(nest)))).toEqual(readable(nest));
    const once = 2 * 1001;
    expect(encodeProgram(nest).length).toBeLessThan(2.5 * once + 300);
    // At the top the interpreter no longer has them.
    expect(encodeProgram([exec('/a'), exec('/b')]).length).toBeGreaterThan(2 * once);
    const again = encodeProgram(nest);
    again.writeBigInt64LE(-1n, again.indexOf('/a') - 4 - 16);
    expect(() => decodeProgram(again)).toThrow(RangeError);
  });

  test('lists are sent again after a nested program, for the interpreter has forgotten them', () => {
    const lists = [['a'], ['b', 'c']];
    const shared = fc.constantFrom(...lists);
    const execve: fc.Arbitrary<Op> = fc.record({ op: fc.constant('execve' as const), pathname: fc.constant('/x'), argv: shared, envp: shared });
    const nested = (inner: Program, name: string): Op => (name === 'serve' ? { op: name, signal: 0, program: inner } : { op: name, program: inner }) as Op;
    const around = fc.tuple(fc.array(execve, { maxLength: 3 }), fc.constantFrom('attempt', 'serve', 'on_exit')).map(([inner, name]) => nested(inner, name));
    const programs = fc.array(fc.oneof(execve, around), { maxLength: 8 }).map((inner) => [nested(inner, 'attempt')]);
    // What it writes for "the same as before" is refused by the decoder where there is nothing before.
    fc.assert(
      fc.property(programs, (ops) => {
        expect(readable(decodeProgram(encodeProgram(ops)))).toEqual(readable(ops));
      }),
    );
  });

  test('an op that does not fit in a frame is refused with what to do', () => {
    expect(() => encodeProgram([{ op: 'write', fd: 1, buf: Buffer.alloc(FRAME_MAX) }])).toThrow(/8388633 bytes, and the limit is 8388608/);
  });

  test('truncated and lying frames are refused by the decoder', () => {
    const whole = encodeProgram([{ op: 'mkdirat', dirfd: -100, mode: 0o755, pathname: '/a/b' }]);
    for (let length = 1; length < whole.length; length++) expect(() => decodeProgram(whole.subarray(0, length))).toThrow(RangeError);
    const unknown = Buffer.from(whole);
    unknown.writeUInt16LE(999, 4);
    expect(() => decodeProgram(unknown)).toThrow(/no opcode 999/);
  });
});

describe('explain', () => {
  test('names every call of a program in order, what a clone runs and what comes at its end', () => {
    const ops: Program = [
      { op: 'openat', dirfd: -100, pathname: '/a', flags: 0, mode: 0, out: 9 },
      { op: 'on_exit', program: [{ op: 'rmtree', dirfd: -100, pathname: '/a' }] },
      { op: 'serve', signal: 0, program: [{ op: 'setsid' }] },
      { op: 'clone', flags: 0x20000, monitor: 0, cgroup: -1, program: [{ op: 'fchdir', fd: 9 }] },
    ];
    expect(explain(ops).map(({ process, text: call }) => [process, call])).toEqual([
      ['self', 'openat(AT_FDCWD, "/a", O_RDONLY)'],
      ['self', 'clone(child_stack=NULL, flags=CLONE_VFORK|SIGCHLD)'],
      ['server', 'setsid()'],
      ['self', 'socketpair(AF_UNIX, SOCK_SEQPACKET|SOCK_CLOEXEC, 0, …)'],
      ['self', 'clone3({flags=CLONE_PIDFD|CLONE_NEWNS, pidfd=…, exit_signal=SIGCHLD, stack=NULL, stack_size=0}, 88)'],
      ['child', 'fchdir(5)'],
      ['exit', 'unlinkat(AT_FDCWD, "/a", 0)'],
    ]);
  });

  test('says which calls an attempt may leave out', () => {
    const attempt: Op = { op: 'attempt', program: [{ op: 'chdir', path: '/a' }, { op: 'setsid' }], ignore: ['ENOENT'] };
    const said = 'in these 2 calls ENOENT is no failure, and leaves out the rest of them';
    expect(explainText([attempt, { op: 'umask', mask: 0o22 }])).toBe(`chdir("/a")  /* ${said} */\nsetsid()\numask(022)`);
  });

  test('has something to say about any op', () => {
    fc.assert(
      fc.property(program, (ops) => {
        for (const call of explain(ops)) expect(call.text).toMatch(/^[a-z_0-9]+\(.*\)$/s);
      }),
    );
  });
});

function nested(frames: Buffer, at: number, numbers: number): Buffer {
  const start = at + 12 + frames.readUInt8(at + 7) * 2 + numbers * 8;
  return frames.subarray(start + 4, start + 4 + frames.readUInt32LE(start));
}
