import { CLONE, O, PR } from '../ops/constants.js';
import { AT_FDCWD, type Op, type Program, type ServeOp, type SlotAllocator } from '../ops/op.js';

/** A program of the host's that serves another program's processes, and how it is run. */
export interface Server {
  /** Its absolute path, and its arguments. It has no environment but `env`, and nothing to read or write. */
  readonly argv: readonly [program: string, ...args: string[]];
  readonly env?: readonly string[];
  /** Ops that come before, in a mount namespace of its own. */
  readonly before: Program;
  /** The signal that it gets when who started it dies. Without it ends by itself, with what it serves. */
  readonly diesWith?: number;
  /** See {@link ServeOp.signal}. */
  readonly signal?: number;
}

/** The op that runs a server: in a session of its own, for what is typed at a terminal is not for it. */
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
      // Whoever changes its ids before loses it.
      ...(diesWith === undefined ? [] : [{ op: 'prctl', option: PR.SET_PDEATHSIG, arg2: diesWith, arg3: 0, arg4: 0, arg5: 0 } as const]),
      { op: 'execve', pathname: argv[0], argv, envp: env },
    ],
  };
}

/** The absolute path of the program that an op serves with. */
export function servingProgram({ program }: ServeOp): string {
  const last = program.at(-1);
  return last?.op === 'execve' ? String(last.pathname) : '';
}

/** After this op nobody serves the program any more: who does not end within ten seconds is killed. */
export const END_SERVED: Op = { op: 'end_served', milliseconds: 10_000 };
