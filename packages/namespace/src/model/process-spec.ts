import type { Program } from '@lamella/syscall';
import type { CapabilityName } from '../identity/capabilities.js';
import type { Mount } from '../mounts/mount.js';

/** The kinds of namespaces (namespaces(7)); a new one of each that is true. */
export interface Namespaces {
  /**
   * One id of the caller's, mapped to root inside: what an ordinary user needs, and may have,
   * to make the others.
   */
  readonly user?: boolean;
  /**
   * The program runs in a user namespace with other ids already: no new one is made, and what
   * nobody may do there is not tried. `single`: it has one id.
   */
  readonly within?: boolean | 'single';
  /** Of one that runs: it has a user namespace with ids that are not the caller's own, see {@link ProcessSpec.userns}. */
  readonly shifted?: boolean;
  /** The one id is called inside what it is outside. It has all capabilities there until it executes something. */
  readonly sameId?: boolean;
  readonly pid?: boolean;
  readonly uts?: boolean;
  readonly ipc?: boolean;
  readonly net?: boolean;
  readonly cgroup?: boolean;
  readonly time?: boolean;
}

/** The ids of a process (credentials(7)). */
export interface Identity {
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups; `gid` is always one of them. */
  readonly groups?: readonly number[];
}

/** A limit of a process (setrlimit(2)). */
export interface Rlimit {
  /** As `ulimit` and Docker name it: `nofile`, `nproc`, … */
  readonly name: string;
  /** -1 is unlimited. */
  readonly soft: number;
  readonly hard: number;
}

/** A process in a container, completely: {@link enter} makes a program of it. */
export interface ProcessSpec {
  /** The command and its arguments. A command without `/` is looked for in `env.PATH`. */
  readonly args: readonly string[];
  /** Absolute path, on the host, of the directory that becomes `/`. */
  readonly rootfs: string;
  /**
   * Whether `rootfs` is a separate mount already (or `prepare` makes it one). Else it is bound
   * onto itself, without devices, inside the container's mount namespace.
   */
  readonly mounted?: boolean;
  /** Ops that run in the new mount namespace before anything else: they mount the rootfs. */
  readonly prepare?: Program;
  /**
   * Slot of a user namespace (op `userns`) that the process enters when its root is mounted, and before the
   * rest is: who starts it, and needs its rights for that, has more ids than it is to have.
   */
  readonly userns?: number;
  /** Slot of a network namespace (op `netns`) that the process enters, in place of a new one. `namespaces.net` is false then. */
  readonly netns?: number;
  /** The whole environment. Default: empty. */
  readonly env?: Readonly<Record<string, string>>;
  /** Absolute, inside; made when missing. Default `/`. */
  readonly cwd?: string;
  /** Default: all but `time`, and `user` when the caller is not root. A mount namespace always. */
  readonly namespaces?: Namespaces;
  /** Default {@link DEFAULT_MOUNTS}. */
  readonly mounts?: readonly Mount[];
  /** The name in a new UTS namespace. Default: the host's. */
  readonly hostname?: string;
  /** Default root. */
  readonly user?: Identity;
  /** Default 0o022. */
  readonly umask?: number;
  /** Limits of each process. Default: those of the caller. */
  readonly rlimits?: readonly Rlimit[];
  /** Default {@link DEFAULT_CAPABILITIES}; a process that is not root gets none of them by itself. */
  readonly capabilities?: readonly CapabilityName[];
  /** Those of them that a process has which is not root, and what it executes, too (capabilities(7), "ambient"). */
  readonly ambient?: readonly CapabilityName[];
  /** A filter on system calls (seccomp(2)): `struct sock_filter[]`, and `SECCOMP_FILTER_FLAG_*`. */
  readonly seccomp?: { readonly filter: Uint8Array; readonly flags: number };
  /** What puts the process into a cgroup: a slot of its directory (version 2), or its ops (version 1). */
  readonly cgroup?: { readonly slot?: number | undefined; readonly join: Program };
  /** Hide and write-protect what /proc and /sys tell of the host. Default true. */
  readonly masks?: boolean;
  /** -1000 to 1000 (proc(5), `oom_score_adj`); less than the caller's own needs privilege. */
  readonly oomScoreAdj?: number;
  /** Default true: nothing executed gains privileges (PR_SET_NO_NEW_PRIVS). */
  readonly noNewPrivileges?: boolean;
  /** Make `/` itself read-only. */
  readonly readonlyRoot?: boolean;
  /** Keep a small process as pid 1 which reaps orphans and passes signals on. */
  readonly init?: boolean;
  /** With `init`: the command is a job of it, as a shell has them. It can be stopped and go on, and dies of signals as outside. */
  readonly job?: boolean;
  /**
   * Wait, all but executed, until `go` is said: with `go` to execute `args` then, with `rest` to run what
   * comes along (see {@link rest}).
   */
  readonly hold?: 'go' | 'rest';
  /** A new terminal with this size. */
  readonly terminal?: { readonly rows: number; readonly columns: number };
  /** What the monitor does with its stdin while there is a terminal. */
  readonly input?: {
    /** Type it into the terminal. */
    readonly forward: boolean;
    /** It is a terminal itself: set it raw meanwhile. */
    readonly raw: boolean;
    /** The terminal is another job's for now: both begin with `foreground()`. */
    readonly later?: boolean;
    /** Nobody types: whatever reads from the terminal comes to the end of the file. */
    readonly ended?: boolean;
  };
}
