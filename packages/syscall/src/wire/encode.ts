import { errnoNumber } from '../errors/errno.js';
import { ProgramError } from '../errors/program-error.js';
import type { Bytes, ControlOp, ExecveOp, Op, Program } from '../ops/op.js';
import { OPCODES, type OpShape } from '../ops/opcodes.js';
import { bytesOf } from '../text/byte-text.js';

/** The longest frame the interpreter takes, in bytes. */
export const FRAME_MAX = 0x800000;

/** Flags of a frame's header, for users of {@link FrameWriter}. */
export const FRAME_FLAGS = { OPTIONAL: 1, REPLY: 2, REPLACE: 4 } as const;

const NULL_STRING = 0xffffffff;
const SHAPES: Readonly<Record<string, OpShape>> = OPCODES;

/** Where in the frames of a program lengths, counts and strings are, for a template of it (replay/template.ts). Offsets in bytes. */
export interface FrameLayout {
  /** Fields of 32 bits with the length of what is between two offsets. */
  readonly lengths: { readonly at: number; readonly from: number; readonly to: number }[];
  /** Of each execve with lists: the field of 64 bits with the number of arguments, and the block of them. */
  readonly arguments: { readonly count: number; readonly from: number; readonly to: number }[];
  /** Of each execve: its path. */
  readonly paths: { readonly from: number; readonly to: number }[];
  /** The fields of 64 bits with the size of a terminal. */
  readonly sizes: { readonly name: 'rows' | 'columns'; readonly at: number }[];
}

/**
 * Appends frames to one growing buffer: `begin`, every number, every string of the shape, then `end`. It is for hundreds of thousands
 * of frames; otherwise use {@link encodeProgram}.
 */
export class FrameWriter {
  #buffer: Buffer;
  #at = 0;
  #start = 0;
  readonly #spare: Buffer[] = [];
  /** The last execve of the nested program; undefined at the top level, where the interpreter does not keep lists. */
  #executed: Partial<Pick<ExecveOp, 'argv' | 'envp'>> | undefined;
  /** The index the next frame gets. */
  index = 0;
  /** Filled while frames are written, if it is set. */
  layout: FrameLayout | undefined;

  constructor(capacity = 32768) {
    this.#buffer = Buffer.allocUnsafeSlow(capacity);
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#at;
  }

  #room(bytes: number): void {
    if (this.#at + bytes <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#buffer.length * 2, this.#at + bytes));
    this.#buffer.copy(larger, 0, 0, this.#at);
    this.#buffer = larger;
  }

  /** Begins the frame of an op. @param ignored numbers of the errors that do not end the program */
  begin(code: number, flags = 0, ignored: readonly number[] = []): void {
    this.#room(12 + 2 * ignored.length + 64);
    this.#start = this.#at;
    const b = this.#buffer;
    let at = this.#at + 4;
    b[at] = code & 0xff;
    b[at + 1] = code >> 8;
    b[at + 2] = flags;
    b[at + 3] = ignored.length;
    b.writeUInt32LE(this.index, at + 4);
    this.index = (this.index + 1) >>> 0;
    at += 8;
    for (const errno of ignored) at = b.writeUInt16LE(errno, at);
    this.#at = at;
  }

  /** A signed 64-bit field from a safe integer. */
  number(value: number): void {
    this.#room(8);
    const b = this.#buffer;
    const at = this.#at;
    const low = value >>> 0;
    b[at] = low;
    b[at + 1] = low >>> 8;
    b[at + 2] = low >>> 16;
    b[at + 3] = low >>> 24;
    const high = value >= 0 && value < 0x100000000 ? 0 : Math.floor(value / 0x100000000);
    b[at + 4] = high;
    b[at + 5] = high >> 8;
    b[at + 6] = high >> 16;
    b[at + 7] = high >> 24;
    this.#at = at + 8;
  }

  /** Appends a byte string, or none. */
  string(value: Bytes): void {
    if (value === null) {
      this.#room(4);
      this.#at = this.#buffer.writeUInt32LE(NULL_STRING, this.#at);
      return;
    }
    let length: number;
    if (typeof value === 'string' && value.isWellFormed()) {
      this.#room(5 + value.length * 3);
      length = this.#buffer.write(value, this.#at + 4, 'utf8');
    } else {
      const bytes = typeof value === 'string' ? bytesOf(value) : value;
      length = bytes.length;
      this.#room(5 + length);
      this.#buffer.set(bytes, this.#at + 4);
    }
    this.#buffer.writeUInt32LE(length, this.#at);
    this.layout?.lengths.push({ at: this.#at, from: this.#at + 4, to: this.#at + 4 + length });
    this.#at += 4 + length;
    this.#buffer[this.#at++] = 0;
  }

  /** Appends a byte string from latin1 text, the form in which names of archives are kept. */
  binary(value: string): void {
    this.#room(5 + value.length);
    this.#buffer.write(value, this.#at + 4, value.length, 'latin1');
    this.#buffer.writeUInt32LE(value.length, this.#at);
    this.#at += 4 + value.length;
    this.#buffer[this.#at++] = 0;
  }

  /** Ends the frame, and writes its length. @throws ProgramError `PROGRAM_TOO_LONG` */
  end(): void {
    const length = this.#at - this.#start;
    if (length > FRAME_MAX) {
      this.#at = this.#start;
      throw new ProgramError({
        code: 'PROGRAM_TOO_LONG',
        message: `the command is too long: ${length} bytes, and the limit is ${FRAME_MAX}`,
        hint: 'Shorten the arguments and the environment: pass long data through stdin or a file.',
      });
    }
    this.#buffer.writeUInt32LE(length, this.#start);
    this.layout?.lengths.push({ at: this.#start, from: this.#start, to: this.#at });
  }

  /** Appends a whole op. */
  op(op: Op | ControlOp): void {
    const shape = SHAPES[op.op];
    if (!shape) throw new TypeError(`there is no op '${String(op.op)}'`);
    const options = op as { ignore?: readonly string[]; reply?: boolean; replace?: boolean };
    const ignored = (options.ignore ?? []).map(errnoNumber);
    this.begin(
      shape.code,
      (ignored.length ? FRAME_FLAGS.OPTIONAL : 0) | (options.reply ? FRAME_FLAGS.REPLY : 0) | (options.replace ? FRAME_FLAGS.REPLACE : 0),
      ignored,
    );
    switch (op.op) {
      case 'execve':
        this.#execve(op);
        break;
      case 'clone':
        this.number(op.flags);
        this.number(op.monitor);
        this.number(op.cgroup ?? -1);
        this.#program(op.program);
        break;
      case 'serve':
        this.number(op.signal ?? 0);
        this.#program(op.program);
        break;
      case 'on_exit':
      case 'attempt':
      case 'go':
        this.#program(op.program ?? []);
        break;
      case 'setgroups': {
        const list = Buffer.alloc(op.list.length * 4);
        for (const [i, group] of op.list.entries()) list.writeUInt32LE(group, i * 4);
        this.string(list);
        break;
      }
      default: {
        const fields = op as unknown as Record<string, unknown>;
        for (const name of shape.numbers) {
          const value = fields[name];
          if (!Number.isSafeInteger(value)) throw new TypeError(`${op.op}: '${name}' is not an integer: ${value}`);
          if (name === 'rows' || name === 'columns') this.layout?.sizes.push({ name, at: this.#at });
          this.number(value as number);
        }
        for (const [i, name] of shape.strings.entries()) {
          const value = fields[name] as Bytes;
          if (typeof value === 'string' && value.includes('\0') && (shape.kinds[i] === 'z' || shape.kinds[i] === 'o'))
            throw new TypeError(`${op.op}: '${name}' has a NUL inside: ${JSON.stringify(value)}`);
          this.string(value);
        }
      }
    }
    this.end();
  }

  /** Appends an execve. A nested program sends the same lists only once. */
  #execve(op: ExecveOp): void {
    const { argv, envp } = this.#executed ?? {};
    const again = op.argv === argv && op.envp === envp;
    if (this.#executed) this.#executed = op;
    const count = this.#at;
    this.number(again ? -1 : op.argv.length);
    this.number(again ? -1 : op.envp.length);
    const path = this.#at;
    this.string(op.pathname);
    this.layout?.paths.push({ from: path + 4, to: this.#at - 1 });
    const list = this.#at;
    this.string(again ? '' : block(op.argv, 'argv'));
    if (!again) this.layout?.arguments.push({ count, from: list + 4, to: this.#at - 1 });
    this.string(again ? '' : block(op.envp, 'envp'));
  }

  /** Appends a nested program in place; its indexes follow the one of this op. */
  #program(program: Program): void {
    const outer = this.#start;
    this.#room(5);
    const at = this.#at;
    this.#at += 4;
    const executed = this.#executed;
    this.#executed = {};
    for (const op of program) this.op(op);
    // The interpreter forgets the lists when it begins with a nested program, so they have to be written again after it.
    this.#executed = executed && {};
    this.#room(1);
    this.#buffer.writeUInt32LE(this.#at - at - 4, at);
    this.layout?.lengths.push({ at, from: at + 4, to: this.#at });
    this.#buffer[this.#at++] = 0;
    this.#start = outer;
  }

  /** Returns what was written, to be copied at once; the writer reuses the memory. */
  written(): Buffer {
    const done = this.#buffer.subarray(0, this.#at);
    this.#at = 0;
    return done;
  }

  /** Returns what was written since the last call; the writer continues in another buffer. */
  take(): Buffer {
    const done = this.#buffer.subarray(0, this.#at);
    this.#buffer = this.#spare.pop() ?? Buffer.allocUnsafeSlow(this.#buffer.length);
    this.#at = 0;
    return done;
  }

  /** Returns a buffer of {@link take} to the writer once it is not read any more, which saves garbage collection. */
  recycle(taken: Buffer): void {
    if (this.#spare.length < 8) this.#spare.push(Buffer.from(taken.buffer, taken.byteOffset));
  }
}

function block(strings: readonly string[], what: string): Uint8Array {
  for (const s of strings) if (s.includes('\0')) throw new TypeError(`execve: '${what}' has a NUL inside: ${JSON.stringify(s)}`);
  return bytesOf(strings.map((s) => `${s}\0`).join(''));
}

/** The writer that short programs share. */
let shared: FrameWriter | undefined;

/** Returns the frames of a program, for descriptor 3 of the interpreter. */
export function encodeProgram(program: Program): Buffer {
  const writer = shared ?? new FrameWriter();
  // Not shared while in use: an op that cannot be encoded leaves it in an unknown state.
  shared = undefined;
  writer.index = 0;
  for (const op of program) writer.op(op);
  const frames = Buffer.from(writer.written());
  shared = writer;
  return frames;
}

/** Returns every op of a program, nested ones included, in the order of their indexes. */
export function flatten(program: Program): Op[] {
  const all: Op[] = [];
  const visit = (op: Op): void => {
    all.push(op);
    if (op.op === 'clone' || op.op === 'on_exit' || op.op === 'serve' || op.op === 'attempt') for (const nested of op.program) visit(nested);
  };
  for (const op of program) visit(op);
  return all;
}
