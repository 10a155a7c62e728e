import { getSystemErrorMessage } from 'node:util';
import { type Op, SyscallError } from '@lamella/syscall';
import type { OciErrorCode } from './error-codes.js';
import { OciError } from './oci-error.js';

/** The property of config.json that each op is for. */
const purposes = new WeakMap<Op, string>();

/** Records what ops are for, so that {@link explainError} can name it. @returns the ops */
export function withPurpose(purpose: string, ops: readonly Op[]): Op[] {
  for (const op of ops) if (!purposes.has(op)) purposes.set(op, purpose);
  return [...ops];
}

export function purposeOf(op: Op): string | undefined {
  return purposes.get(op);
}

/** Returns an error of a program with the property it is about: `mounts[2] onto /data: open_tree "/x": no such file or directory`. */
export function explainError(error: unknown): unknown {
  if (!(error instanceof SyscallError)) return error;
  const purpose = purposes.get(error.op);
  const misplaced = misplacement(error, purpose ?? error.op.op);
  if (misplaced) return misplaced;
  return new OciError({ code: error.code, message: `${purpose ? `${purpose}: ` : ''}${failure(error)}`, cause: error });
}

/** Returns the error of an op that checks where a mount is, which no errno describes. */
function misplacement(error: SyscallError, purpose: string): OciError | undefined {
  const { op, code } = error;
  const make = (code: OciErrorCode, why: string, hint: string): OciError => new OciError({ code, message: `${purpose}: ${why}`, hint, cause: error });
  if (op.op === 'landed' && code === 'EXDEV')
    return make(
      'MOUNT_REFUSED',
      `${String(op.pathname)} cannot be mounted because it is inside /proc`,
      'Remove the symbolic link in the root filesystem that leads there.',
    );
  if (op.op === 'landed' && code === 'ELOOP')
    return make(
      'MOUNT_REFUSED',
      `${String(op.pathname)} cannot be mounted because a link leads elsewhere`,
      'Remove the symbolic link from the root filesystem.',
    );
  if (op.op === 'expect_type' && code === 'ESTALE')
    return make('MOUNT_REFUSED', '/proc cannot be mounted because it is not of type proc', 'Set the type of the mount to proc.');
  if (op.op === 'covered' && code === 'ESTALE')
    return make(
      'MASK_FAILED',
      `${String(op.pathname)} cannot be ${op.readonly ? 'made read-only' : 'hidden'}`,
      'Remove the path from linux.maskedPaths or linux.readonlyPaths, or the mount on it.',
    );
  return undefined;
}

/** `mount("proc", "/proc"): operation not permitted` */
function failure(error: SyscallError): string {
  return `${error.message.replace(/ failed: .*/s, '')}: ${errnoText(error.errno)}`;
}

/** Returns the text of strerror(3), which programs look for. */
export function errnoText(errno: number): string {
  return getSystemErrorMessage(-errno);
}
