import { CLONE, O, PR } from '../ops/constants.js';
import { AT_FDCWD, type Op, type Program, type ServeOp, type SlotAllocator } from '../ops/op.js';

/** A program of the host that serves the processes of another program, such as a FUSE filesystem. */
export interface Server {
  /** Absolute path and arguments. The environment is `env` only, and stdio is /dev/null. */
  readonly argv: readonly [program: string, ...args: string[]];
  readonly env?: readonly string[];
  /** Ops that run first, in a new mount namespace. */
  readonly before: Program;
  /** The signal that it gets when its parent dies. Without one it ends together with what it serves. */
  readonly diesWith?: number;
  /** See {@link ServeOp.signal}. */
  readonly signal?: number;
}

/** Returns the op that starts a server in a new session, so that keys typed at a terminal do not signal it. */
export function serve({ argv, env = [], before, diesWith, signal = 0 }: Server, slots: SlotAllocator): Op {
  const silent = slots();
  return {
    op: 'serve',
    signal,
    program: [
      { op: 'setsid' },
      { op: 'unshare', flags: CLONE.NEWNS },
      ...before,
      { op: 'openat', dirfd: AT_FDCWD, pathname: '/dev/null', flags: O.RDWR | O.CLOEXEC, mode: 0, out: silent },
      ...[0, 1, 2].map((newfd): Op => ({ op: 'dup3', fd: silent, newfd, flags: 0 })),
      { op: 'chdir', path: '/' },
      // A change of ids clears this signal, so it is set last.
      ...(diesWith === undefined ? [] : [{ op: 'prctl', option: PR.SET_PDEATHSIG, arg2: diesWith, arg3: 0, arg4: 0, arg5: 0 } as const]),
      { op: 'execve', pathname: argv[0], argv, envp: env },
    ],
  };
}

/** Returns the absolute path of the server that an op starts. */
export function servingProgram({ program }: ServeOp): string {
  const last = program.at(-1);
  return last?.op === 'execve' ? String(last.pathname) : '';
}

/** Ends all servers. A server that has not ended after ten seconds is killed. */
export const END_SERVED: Op = { op: 'end_served', milliseconds: 10_000 };
