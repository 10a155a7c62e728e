import { fstatSync } from 'node:fs';
import { prctl } from '@lamella/namespace';
import { AT, CLOSE_RANGE_CLOEXEC, type Op, PR } from '@lamella/syscall';
import type { OciLinux, OciProcess } from '../config/schema.js';
import { withPurpose } from '../errors/op-purposes.js';
import { execute } from './execute.js';
import { type grantable, prepareCapabilities, setCapabilities } from './identity.js';
import { seccompOps } from './seccomp.js';

/** Returns the ops that give the stdio of a process to its user, as runc does, so that it can open /dev/stdout. */
export function ownStdio(spec: OciProcess): Op[] {
  const { uid = 0, gid = 0 } = spec.user ?? {};
  if (!uid) return [];
  return [0, 1, 2].flatMap((fd): Op[] => {
    try {
      const stat = fstatSync(fd);
      if (!stat.isFIFO() && !stat.isSocket()) return [];
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EBADF') return [];
      throw error;
    }
    return [{ op: 'fchownat', dirfd: fd, pathname: '', owner: uid, group: gid, flags: AT.EMPTY_PATH, ignore: ['EPERM', 'EINVAL', 'EROFS', 'ENOENT'] }];
  });
}

/** Returns the last ops of a process: descriptors, capabilities, seccomp filter, exec. */
export function execOps(
  spec: OciProcess,
  seccomp: OciLinux['seccomp'],
  {
    granted,
    preserved,
    labels: late,
    untilTaken,
  }: {
    readonly granted: ReturnType<typeof grantable>;
    readonly preserved: readonly number[];
    readonly labels: readonly Op[];
    /** Ops that wait until the listener of the filter was fetched. The exec closes it. */
    readonly untilTaken: readonly Op[];
  },
): Op[] {
  const filter = seccompOps(seccomp, spec);
  const noNewPrivileges = spec.noNewPrivileges === true;
  return [
    { op: 'close_range', first: 3, last: 0xffffffff, flags: CLOSE_RANGE_CLOEXEC },
    ...preserved.map((fd, i): Op => ({ op: 'dup3', fd, newfd: 3 + i, flags: 0 })),
    ...late,
    ...prepareCapabilities(spec, granted, filter.length > 0 && !noNewPrivileges),
    ...(noNewPrivileges ? withPurpose('process.noNewPrivileges', [prctl(PR.SET_NO_NEW_PRIVS, 1)]) : []),
    ...filter,
    ...(filter.some(({ reply }) => reply) ? withPurpose('linux.seccomp.listenerPath', untilTaken) : []),
    ...(filter.length && !noNewPrivileges ? setCapabilities(spec, granted) : []),
    ...execute(spec.args ?? [], spec.env ?? []),
  ];
}
