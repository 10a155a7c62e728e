import path from 'node:path';
import { PROC_FILES, PROCFS } from '@lamella/namespace';
import type { Op } from '@lamella/syscall';
import { OciError } from '../errors/oci-error.js';

/** What may be mounted where, as ops that see it: of the target, and of what is bound there. */
interface Checks {
  readonly target: readonly Op[];
  readonly source: readonly Op[];
}

/**
 * Ops that keep mounts out of /proc, as runc does (CVE-2019-19921): a proc filesystem takes its place, and files that tell of resources
 * can be bound below it. Where a target is is seen from its descriptor, whatever links lead there.
 *
 * @param tree slot of what is bound; nothing for a filesystem of the container's own
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
      hint: `Bound can be there: ${[...PROC_FILES].join(', ')}.`,
    });
  return { target: [landed({ ...slots, pathname, exact: false })], source: [] };
}

/** Sees that something that is to be made, or mounted, is not in /proc. */
export function expectOutsideProc(destination: string, slots: { readonly root: number; readonly target: number }): Op {
  return landed({ ...slots, pathname: path.posix.resolve('/', destination), exact: false });
}

function landed({ root, target, pathname, exact }: { root: number; target: number; pathname: string; exact: boolean }): Op {
  // What goes over the root itself is hidden by that.
  return { op: 'landed', rootfd: root, fd: target, exact: exact ? 1 : 0, pathname, outside: '/proc\0', ignore: ['EBUSY'] };
}
