import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';

/** One system call of a scenario: the Nth of its name, in whichever process comes to it. */
export interface Point {
  readonly syscall: string;
  readonly nth: number;
  /** What happens there: the process is killed, or the call fails. */
  readonly fault: 'KILL' | 'EIO' | 'ENOSPC' | 'ENOMEM' | 'EPERM';
}

/** An interpreter that runs under strace: what happens in it is changed from try to try. */
export class InjectedInterpreter {
  readonly #file: string;
  readonly #log: string;
  readonly #strace: string;
  readonly #interpreter: string;

  constructor(file: string, log: string, strace: string, interpreter: string) {
    this.#file = file;
    this.#log = log;
    this.#strace = strace;
    this.#interpreter = interpreter;
  }

  /** As it is. */
  plain(): void {
    this.#write(`exec ${this.#interpreter} "$@"`);
  }

  /** Note which calls are made. */
  tracing(): void {
    rmSync(this.#log, { force: true });
    // -A: every interpreter of a scenario writes there.
    this.#write(`exec ${this.#strace} -f -A -o ${this.#log} ${this.#interpreter} "$@"`);
  }

  inject({ syscall, nth, fault }: Point): void {
    const what = fault === 'KILL' ? 'signal=KILL' : `error=${fault}`;
    this.#write(`exec ${this.#strace} -f -o /dev/null -e trace=${syscall} -e inject=${syscall}:${what}:when=${nth} ${this.#interpreter} "$@"`);
  }

  /** How often each call is made, by the process that makes it most often. */
  calls(): Map<string, number> {
    const counts = new Map<string, Map<string, number>>();
    for (const line of existsSync(this.#log) ? readFileSync(this.#log, 'latin1').split('\n') : []) {
      const [, pid, name] = /^(\d+) +(\w+)\(/.exec(line) ?? [];
      if (pid === undefined || name === undefined) continue;
      const byPid = counts.get(name) ?? new Map<string, number>();
      byPid.set(pid, (byPid.get(pid) ?? 0) + 1);
      counts.set(name, byPid);
    }
    return new Map([...counts].map(([name, byPid]) => [name, Math.max(...byPid.values())]));
  }

  #write(command: string): void {
    writeFileSync(this.#file, `#!/bin/sh\n${command}\n`);
    chmodSync(this.#file, 0o755);
  }
}

/** How a call fails in life. What no kernel does is not tried: an exit, a signal mask. */
const FAILS: Readonly<Record<string, Point['fault']>> = {
  openat: 'ENOSPC',
  openat2: 'EIO',
  mkdirat: 'ENOSPC',
  mknodat: 'ENOSPC',
  symlinkat: 'ENOSPC',
  linkat: 'ENOSPC',
  write: 'ENOSPC',
  fsync: 'EIO',
  renameat2: 'EIO',
  unlinkat: 'EIO',
  ftruncate: 'ENOSPC',
  read: 'EIO',
  getdents64: 'EIO',
  statx: 'EIO',
  flock: 'ENOMEM',
  socketpair: 'ENOMEM',
  socket: 'ENOMEM',
  bind: 'ENOSPC',
  listen: 'ENOMEM',
  pipe2: 'ENOMEM',
  clone3: 'ENOMEM',
  fsopen: 'ENOMEM',
  fsconfig: 'ENOMEM',
  fsmount: 'ENOMEM',
  open_tree: 'ENOMEM',
  move_mount: 'EPERM',
  mount: 'ENOMEM',
  mount_setattr: 'EPERM',
  umount2: 'EPERM',
  pivot_root: 'EPERM',
  chroot: 'EPERM',
  unshare: 'ENOMEM',
  setns: 'EPERM',
  pidfd_open: 'ENOMEM',
  sethostname: 'EPERM',
  capset: 'EPERM',
  setgroups: 'EPERM',
  setresuid: 'EPERM',
  setresgid: 'EPERM',
  prctl: 'EPERM',
  seccomp: 'ENOMEM',
  execve: 'ENOMEM',
  signalfd4: 'ENOMEM',
  fchownat: 'EPERM',
  fchmodat: 'EPERM',
  utimensat: 'EIO',
  fsetxattr: 'ENOSPC',
  lsetxattr: 'ENOSPC',
};

/** The points of a scenario. Reads of replies and polls come as often as the scheduler likes: the first dozen stand for all. */
export function pointsOf(calls: ReadonlyMap<string, number>): readonly Point[] {
  const points: Point[] = [];
  for (const [syscall, count] of calls) {
    if (/^(?:exit|exit_group|arch_prctl|brk|rt_sigprocmask|rt_sigreturn|execveat|memfd_create|getrandom|prlimit64)$/.test(syscall)) continue;
    for (let nth = 1; nth <= Math.min(count, ['ppoll', 'read', 'clock_gettime', 'prctl', 'close'].includes(syscall) ? 12 : 60); nth++) {
      points.push({ syscall, nth, fault: 'KILL' });
      const fault = FAILS[syscall];
      if (fault) points.push({ syscall, nth, fault });
    }
  }
  return points;
}
