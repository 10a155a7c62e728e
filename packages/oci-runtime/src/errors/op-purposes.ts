import { getSystemErrorMessage } from 'node:util';
import { type Op, SyscallError } from '@lamella/syscall';
import { OciError } from './oci-error.js';

/** What each op is for, in the words of config.json. */
const purposes = new WeakMap<Op, string>();

/** Note what ops are for: an error of one of them says so. */
export function withPurpose(purpose: string, ops: readonly Op[]): Op[] {
  for (const op of ops) if (!purposes.has(op)) purposes.set(op, purpose);
  return [...ops];
}

export function purposeOf(op: Op): string | undefined {
  return purposes.get(op);
}

/** An error of a program, in the words of who wrote the configuration: `mounts[2] onto /data: open_tree "/x": no such file or directory`. */
export function explainError(error: unknown): unknown {
  if (!(error instanceof SyscallError)) return error;
  const purpose = purposes.get(error.op);
  const misplaced = misplacement(error, purpose ?? error.op.op);
  if (misplaced) return misplaced;
  return new OciError({ code: error.code, message: `${purpose ? `${purpose}: ` : ''}${failure(error)}`, cause: error });
}

/** What an op saw of the place of a mount that no errno tells. */
function misplacement(error: SyscallError, purpose: string): OciError | undefined {
  const { op, code } = error;
  const make = (name: string, why: string, hint: string): OciError => new OciError({ code: name, message: `${purpose}: ${why}`, hint, cause: error });
  if (op.op === 'landed' && code === 'EXDEV')
    return make('MOUNT_REFUSED', `${String(op.pathname)} cannot be mounted because it is inside /proc`, 'A link in the root leads there.');
  if (op.op === 'landed' && code === 'ELOOP')
    return make('MOUNT_REFUSED', `${String(op.pathname)} cannot be mounted because a link leads elsewhere`, 'Remove the link in the root.');
  if (op.op === 'expect_type' && code === 'ESTALE')
    return make('MOUNT_REFUSED', '/proc cannot be mounted because it is not of type proc', 'Mount a filesystem of type proc there.');
  if (op.op === 'covered' && code === 'ESTALE')
    return make(
      'MASK_FAILED',
      `${String(op.pathname)} cannot be ${op.readonly ? 'made read-only' : 'hidden'}`,
      'Take it out of the list, or mount nothing there.',
    );
  return undefined;
}

/** `mount("proc", "/proc"): operation not permitted` */
function failure(error: SyscallError): string {
  return `${error.message.replace(/ failed: .*/s, '')}: ${errnoText(error.errno)}`;
}

/** What strerror(3) says, and programs look for. */
export function errnoText(errno: number): string {
  return getSystemErrorMessage(-errno);
}
