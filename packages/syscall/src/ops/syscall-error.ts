import { type ErrnoCode, errnoName } from '../errors/errno.js';
import { LamellaError } from '../errors/lamella-error.js';
import type { Op, ServeOp } from './op.js';

/** A required op failed. `code` is the errno's name, `args` what the call was given. */
export class SyscallError extends LamellaError<ErrnoCode> {
  static override readonly brand: string = 'SyscallError';
  override readonly name = 'SyscallError';
  /** The name of the system call, or of the compound op. */
  readonly syscall: string;
  readonly args: Readonly<Record<string, unknown>>;
  readonly errno: number;
  readonly op: Op;
  /** Index of the op, in the order of {@link flatten}. */
  readonly index: number;
  /** The `serve` op whose process failed, if it was not the program itself. */
  readonly server: ServeOp | undefined;

  constructor(op: Op, index: number, errno: number, server: ServeOp | undefined = op.op === 'serve' ? op : undefined) {
    const code = errnoName(errno);
    super({ code, message: `${describe(op)} failed: ${code}` });
    const { op: syscall, ...args } = op;
    this.syscall = syscall;
    this.args = args;
    this.errno = errno;
    this.op = op;
    this.index = index;
    this.server = server;
  }
}

/** Returns the call with its main arguments: `mount("proc", "/proc")`. */
function describe(op: Op): string {
  const strings = Object.entries(op)
    .filter(([name, value]) => name !== 'op' && name !== 'data' && name !== 'buf' && typeof value === 'string')
    .map(([, value]) => JSON.stringify(value));
  return `${op.op}(${strings.join(', ')})`;
}
