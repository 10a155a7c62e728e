import { ProgramError } from '../errors/program-error.js';
import type { ControlName, OPCODES, OpName } from './opcodes.js';

/** A path or other string for the kernel: text (sent as UTF-8), raw bytes, or NULL. */
export type Bytes = string | Uint8Array | null;

/** The current directory as a `dirfd` (fcntl.h). */
export const AT_FDCWD = -100;

/** Options that every op takes beside its arguments. */
export interface OpOptions {
  /** Names of errors that do not end the program. An ignored failure is still reported. */
  readonly ignore?: readonly string[];
  /** Whether the value of the call is reported. */
  readonly reply?: boolean;
  /**
   * Whether an existing object (`EEXIST`) is removed, with its whole tree if necessary, before a second try. `mkdirat` keeps an
   * existing directory.
   */
  readonly replace?: boolean;
}

type Special = 'execve' | 'clone' | 'on_exit' | 'serve' | 'attempt' | 'setgroups';
type Plain = Exclude<OpName, Special>;

type FieldsOf<Name extends OpName | ControlName> = {
  readonly [Field in (typeof OPCODES)[Name]['numbers'][number]]: number;
} & { readonly [Field in (typeof OPCODES)[Name]['strings'][number]]: Bytes };

type PlainOp = { [Name in Plain]: { readonly op: Name } & FieldsOf<Name> & OpOptions }[Plain];

export interface ExecveOp extends OpOptions {
  readonly op: 'execve';
  readonly pathname: Bytes;
  readonly argv: readonly string[];
  /** `NAME=value` strings. */
  readonly envp: readonly string[];
}

/**
 * Runs `program` in a new process in the namespaces of `flags` (`CLONE_NEW*`). The calling process becomes its monitor and exits
 * with its status after the exit program.
 */
export interface CloneOp extends OpOptions {
  readonly op: 'clone';
  readonly flags: number;
  /**
   * How the monitor treats its stdin: {@link MONITOR_RAW}, {@link MONITOR_AWAY}, {@link MONITOR_INPUT}, {@link MONITOR_ENDED} and
   * {@link MONITOR_LEAVES}.
   */
  readonly monitor: number;
  /** Slot of the directory of a cgroup (version 2) for the new process. Default -1: the cgroup of the calling process. */
  readonly cgroup?: number;
  readonly program: Program;
}

/** Sets the program that runs when the monitored process has ended or this program has failed. The last one set counts. */
export interface OnExitOp extends OpOptions {
  readonly op: 'on_exit';
  readonly program: Program;
}

/**
 * Runs `program`, which ends in `execve`, in another process and continues when it was executed. That process serves this program,
 * for example as a filesystem in user space. `end_served` waits for the end of all such processes.
 */
export interface ServeOp extends OpOptions {
  readonly op: 'serve';
  /** The signal that `end_served` sends. Default 0: the process ends without one. */
  readonly signal?: number;
  readonly program: Program;
}

/**
 * Runs `program`. If it fails with an ignored error, the rest of it is skipped and the outer program continues. Descriptors that it
 * opened stay open until `execve`.
 */
interface AttemptOp extends OpOptions {
  readonly op: 'attempt';
  readonly program: Program;
}

export interface SetgroupsOp extends OpOptions {
  readonly op: 'setgroups';
  readonly list: readonly number[];
}

/** One system call (or one of the few compound steps), as data. */
export type Op = PlainOp | ExecveOp | CloneOp | OnExitOp | ServeOp | AttemptOp | SetgroupsOp;

/** A list of ops: composition is concatenation. */
export type Program = readonly Op[];

/** Resumes a program that waits (op `wait`), with these ops as its rest. */
export interface GoOrder {
  readonly op: 'go';
  readonly program?: Program;
}

/** An order to the monitor of a running program. `input` holds at most 4096 bytes. */
export type ControlOp = { [Name in Exclude<ControlName, 'go'>]: { readonly op: Name } & FieldsOf<Name> }[Exclude<ControlName, 'go'>] | GoOrder;

/** Bits of `supervise.flags`. */
export const SUPERVISE = {
  /** Clients can connect to the socket `control` in the directory. */
  LISTEN: 1,
  /** Output of the process goes through pipes, or its terminal, to the file `log` in the directory. */
  LOG: 2,
  /** The process outlives the control pipe once it has started. */
  DETACHED: 4,
  /** stdin is a pipe that clients write to. */
  INPUT: 8,
  /** The monitor keeps the records `state` and `exit` there. */
  RECORD: 16,
  /** The process is new: the event `create` precedes the first `start`. */
  CREATED: 32,
  /** The exit program removes the process's directory: the event `destroy` follows it. */
  REMOVED: 64,
} as const;

/** Values of `supervise.restart`. */
export const RESTART = { no: 0, 'on-failure': 1, always: 2 } as const;

/**
 * `compare.marks`: where the upper directory has its marks: in attributes of overlayfs, or in files named `.wh.…`. `none` compares
 * two whole trees.
 */
export const MARKS = { none: 0, trusted: 1, user: 2, files: 3 } as const;

/** `clone.monitor`: stdin is the terminal of the user and is raw while the process runs. */
export const MONITOR_RAW = 2;
/** `clone.monitor`: stdin is read and typed into the container's terminal. */
export const MONITOR_INPUT = 4;

/** `clone.monitor`: the container has no input. Reading from the terminal of the container returns end of file. */
export const MONITOR_ENDED = 16;
/** `clone.monitor`: another job has the terminal. It is read, and raw, only after the order `foreground`. */
export const MONITOR_AWAY = 32;
/**
 * `clone.monitor`: the monitor will get the order `leave`. Until then it does not reap the process, so that the adopter of the
 * process gets its status.
 */
export const MONITOR_LEAVES = 8;

/** Returns a new slot at each call, so that programs of several packages can be joined. */
export type SlotAllocator = () => number;

/** Slots that no allocator returns, for descriptors beside all allocated ones. The interpreter has 8192 (`SLOTS` in base/slots.h). */
export const RESERVED_SLOTS = [8190, 8191] as const;

/** Returns an allocator of slots from `first` (at least 5) to 8189. After the last one it throws ProgramError `TOO_MANY_DESCRIPTORS`. */
export function slotAllocator(first = 5): SlotAllocator {
  let next = first;
  return () => {
    if (next >= RESERVED_SLOTS[0])
      throw new ProgramError({
        code: 'TOO_MANY_DESCRIPTORS',
        message: 'the program needs more than 8185 descriptors at once',
        hint: 'Use fewer mounts: mount a directory instead of each file in it.',
      });
    return next++;
  };
}
