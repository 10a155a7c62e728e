import path from 'node:path';
import { PROC_FILES, PROCFS } from '@lamella/namespace';
import type { Op } from '@lamella/syscall';
import { OciError } from '../errors/oci-error.js';

/** Ops that check a mount: its target, and the source that is bound there. */
interface Checks {
  readonly target: readonly Op[];
  readonly source: readonly Op[];
}

/**
 * Returns ops that keep mounts out of /proc, as runc does (CVE-2019-19921). Only a proc filesystem may replace it, and only the files in
 * PROC_FILES may be bound below it. The ops look at the descriptor of the target, so links cannot mislead them.
 *
 * @param purpose the mount, for messages
 * @param slots slots of the root and the target; `tree` is that of the source of a bind mount
 * @throws OciError `MOUNT_REFUSED`
 */
export function guardProc(purpose: string, destination: string, slots: { readonly root: number; readonly target: number; readonly tree?: number }): Checks {
  const pathname = path.posix.resolve('/', destination);
  if (pathname === '/proc' && slots.tree !== undefined)
    return { target: [landed({ ...slots, pathname, exact: true })], source: [{ op: 'expect_type', fd: slots.tree, type: PROCFS }] };
  if (slots.tree !== undefined && PROC_FILES.has(pathname.replace(/^\/proc\//, '')) && pathname.startsWith('/proc/'))
    return { target: [landed({ ...slots, pathname, exact: true })], source: [] };
  if (pathname === '/proc' || pathname.startsWith('/proc/'))
    throw new OciError({
      code: 'MOUNT_REFUSED',
      message: `${purpose}: ${pathname === '/proc' ? `${destination} cannot be mounted because it is not of type proc` : `${destination} cannot be mounted because it is inside /proc`}`,
      hint: `Below /proc only these files can be bound: ${[...PROC_FILES].join(', ')}.`,
    });
  return { target: [landed({ ...slots, pathname, exact: false })], source: [] };
}

/** Returns the op that checks that a target is not in /proc. */
export function expectOutsideProc(destination: string, slots: { readonly root: number; readonly target: number }): Op {
  return landed({ ...slots, pathname: path.posix.resolve('/', destination), exact: false });
}

function landed({ root, target, pathname, exact }: { root: number; target: number; pathname: string; exact: boolean }): Op {
  // EBUSY: the target is the root itself.
  return { op: 'landed', rootfd: root, fd: target, exact: exact ? 1 : 0, pathname, outside: '/proc\0', ignore: ['EBUSY'] };
}
