import { errnoName } from '../errors/errno.js';
import type { ControlOp, ExecveOp, Op } from '../ops/op.js';
import { OPCODES, type OpShape } from '../ops/opcodes.js';
import { textOf } from '../text/byte-text.js';
import { FRAME_MAX } from './encode.js';

const BY_CODE = new Map<number, [string, OpShape]>(
  Object.entries(OPCODES as Readonly<Record<string, OpShape>>).map(([name, shape]) => [shape.code, [name, shape]]),
);

/**
 * Decodes frames into ops. Byte strings become Buffers.
 *
 * @throws RangeError for a malformed frame
 */
export function decodeProgram(frames: Buffer): (Op | ControlOp)[] {
  const ops: (Op | ControlOp)[] = [];
  let executed: ExecveOp | undefined;
  for (let at = 0; at < frames.length; ) {
    if (frames.length - at < 12) throw new RangeError('a frame is cut off in its header');
    const length = frames.readUInt32LE(at);
    if (length < 12 || length > FRAME_MAX || at + length > frames.length) throw new RangeError(`a frame of ${length} bytes does not fit`);
    const op = decodeFrame(frames.subarray(at, at + length), executed);
    if (op.op === 'execve') executed = op;
    // The interpreter forgets the lists at a nested program.
    else if ('program' in op) executed = undefined;
    ops.push(op);
    at += length;
  }
  return ops;
}

function decodeFrame(frame: Buffer, executed: ExecveOp | undefined): Op | ControlOp {
  const code = frame.readUInt16LE(4);
  const found = BY_CODE.get(code);
  if (!found) throw new RangeError(`there is no opcode ${code}`);
  const [name, shape] = found;
  const flags = frame.readUInt8(6);
  let at = 12;
  const ignore: string[] = [];
  for (let i = 0; i < frame.readUInt8(7); i++, at += 2) {
    const errno = frame.readUInt16LE(at);
    ignore.push(errnoName(errno));
  }
  const fields: Record<string, unknown> = { op: name };
  for (const field of shape.numbers) {
    fields[field] = Number(frame.readBigInt64LE(at));
    at += 8;
  }
  for (const field of shape.strings) {
    const length = frame.readUInt32LE(at);
    at += 4;
    if (length === 0xffffffff) fields[field] = null;
    else {
      if (at + length >= frame.length) throw new RangeError(`${name}: '${field}' runs past the frame`);
      fields[field] = frame.subarray(at, at + length);
      at += length + 1;
    }
  }
  if (at !== frame.length) throw new RangeError(`${name}: ${frame.length - at} bytes left over`);
  if (name === 'execve') {
    const again = fields.argc === -1;
    if (again && !executed) throw new RangeError('execve: the lists of the one before are missing');
    for (const field of ['argv', 'envp'] as const)
      fields[field] = again
        ? executed?.[field]
        : textOf(fields[field] as Buffer)
            .split('\0')
            .slice(0, -1);
    delete fields.argc;
    delete fields.envc;
  } else if (name === 'clone' || name === 'on_exit' || name === 'serve' || name === 'attempt' || name === 'go')
    fields.program = decodeProgram(fields.program as Buffer);
  else if (name === 'setgroups') {
    const list = fields.list as Buffer;
    fields.list = Array.from({ length: list.length / 4 }, (_, i) => list.readUInt32LE(i * 4));
  }
  if (ignore.length) fields.ignore = ignore;
  if (flags & 2) fields.reply = true;
  if (flags & 4) fields.replace = true;
  return fields as unknown as Op;
}
