import { getSystemErrorMessage } from 'node:util';
import { type Op, SyscallError } from '@lamella/syscall';
import { OciError } from './oci-error.js';

/** What each op is for, in the words of config.json. */
const purposes = new WeakMap<Op, string>();

/** Note what ops are for: an error of one of them says so. */
export function said(purpose: string, ops: readonly Op[]): Op[] {
  for (const op of ops) if (!purposes.has(op)) purposes.set(op, purpose);
  return [...ops];
}

export function purposeOf(op: Op): string | undefined {
  return purposes.get(op);
}

/** An error of a program, in the words of who wrote the configuration: `mounts[2] onto /data: open_tree "/x": no such file or directory`. */
export function explained(error: unknown): unknown {
  if (!(error instanceof SyscallError)) return error;
  const purpose = purposes.get(error.op);
  return new OciError({ code: error.code, message: `${purpose ? `${purpose}: ` : ''}${failure(error)}`, cause: error });
}

/** `mount("proc", "/proc"): operation not permitted` */
function failure(error: SyscallError): string {
  return `${error.message.replace(/ failed: .*/s, '')}: ${errnoText(error.errno)}`;
}

/** What strerror(3) says, and programs look for. */
export function errnoText(errno: number): string {
  return getSystemErrorMessage(-errno);
}
