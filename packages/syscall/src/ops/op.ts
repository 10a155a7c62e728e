import { ProgramError } from '../errors/program-error.js';
import type { ControlName, OPCODES, OpName } from './opcodes.js';

/** A path or other string for the kernel: text (sent as UTF-8), raw bytes, or NULL. */
export type Bytes = string | Uint8Array | null;

/** The current directory as a `dirfd` (fcntl.h). */
export const AT_FDCWD = -100;

/** What any op can say beside its arguments. */
export interface OpOptions {
  /** Errno names which do not end the program; an ignored failure is still an event. */
  readonly ignore?: readonly string[];
  /** Report the call's value as an event. */
  readonly reply?: boolean;
  /**
   * `EEXIST`: remove what is there (a whole tree if need be) and try once more.
   * For `mkdirat` a directory that is there is kept.
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
 * Fork `program` into the new namespaces of `flags` (CLONE_NEW*); this process becomes its
 * monitor and ends with its status, after the exit program.
 */
export interface CloneOp extends OpOptions {
  readonly op: 'clone';
  readonly flags: number;
  /** What the monitor does with its stdin: see {@link MONITOR_RAW}, {@link MONITOR_AWAY}, {@link MONITOR_INPUT}, {@link MONITOR_ENDED} and {@link MONITOR_LEAVES}. */
  readonly monitor: number;
  /** Slot of the directory of a cgroup (version 2) to be born in; -1, the default, for this process's own. */
  readonly cgroup?: number;
  readonly program: Program;
}

/** The program that runs when the process this one monitors is gone, or this program failed. The last one set counts. */
export interface OnExitOp extends OpOptions {
  readonly op: 'on_exit';
  readonly program: Program;
}

/**
 * Run `program`, which ends in `execve`, as another process, and go on when it was executed. It serves this program: a filesystem in
 * user space. `end_served` waits for the end of all of these.
 */
export interface ServeOp extends OpOptions {
  readonly op: 'serve';
  /** What ends it at `end_served`; 0, the default, when it ends by itself. */
  readonly signal?: number;
  readonly program: Program;
}

/**
 * Run `program`, which may fail with one of the errors that are ignored: then the rest of it is left out, and the program around it goes
 * on. What it had opened by then stays open until `execve`.
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

/** Let a program that waits go on, with these ops as the rest of its `wait`. */
export interface GoOrder {
  readonly op: 'go';
  readonly program?: Program;
}

/** An order to the monitor of a running program. `input` holds at most 4096 bytes. */
export type ControlOp = { [Name in Exclude<ControlName, 'go'>]: { readonly op: Name } & FieldsOf<Name> }[Exclude<ControlName, 'go'>] | GoOrder;

/** Bits of `supervise.flags`. */
export const SUPERVISE = {
  /** Clients may come by the socket `control` in the directory. */
  LISTEN: 1,
  /** What the process writes comes by pipes, or its terminal, and is written to `log` there. */
  LOG: 2,
  /** Once the process has begun, the end of the control pipe is not its end. */
  DETACHED: 4,
  /** stdin is a pipe that clients write to. */
  INPUT: 8,
  /** The monitor keeps the records `state` and `exit` there. */
  RECORD: 16,
} as const;

/** Values of `supervise.restart`. */
export const RESTART = { no: 0, 'on-failure': 1, always: 2 } as const;

/**
 * `compare.marks`: where the upper's marks are: in attributes of overlayfs, or in files whose names begin with `.wh.`; `none`
 * compares two whole trees.
 */
export const MARKS = { none: 0, trusted: 1, user: 2, files: 3 } as const;

/** `clone.monitor`: stdin is a terminal of the user's; it is raw while the process runs. */
export const MONITOR_RAW = 2;
/** `clone.monitor`: stdin is read and typed into the container's terminal. */
export const MONITOR_INPUT = 4;

/** `clone.monitor`: nobody types: whatever reads from the container's terminal comes to the end of the file. */
export const MONITOR_ENDED = 16;
/** `clone.monitor`: the terminal is somebody else's for now: it is read, and raw, only after `foreground`. */
export const MONITOR_AWAY = 32;
/**
 * `clone.monitor`: it will be told to `leave`. Until then it does not reap the process: its status is for whoever
 * adopts it.
 */
export const MONITOR_LEAVES = 8;

/** Hands out slots, so that lists made by different packages do not use the same one. */
export type SlotAllocator = () => number;

/** Slots that no allocator gives: for what a program holds beside all that it allocates. The interpreter has 8192 (`SLOTS` of interpreter.h). */
export const RESERVED_SLOTS = [8190, 8191] as const;

/**
 * Slots from `first` (5 is the lowest a program may use) upwards, to 8189; what it returns throws LamellaError
 * `TOO_MANY_DESCRIPTORS` then.
 */
export function slotAllocator(first = 5): SlotAllocator {
  let next = first;
  return () => {
    if (next >= RESERVED_SLOTS[0])
      throw new ProgramError({
        code: 'TOO_MANY_DESCRIPTORS',
        message: 'this takes more than the 8185 descriptors that can be held at once',
        hint: 'Mount fewer things: the directory that many are in, instead of each.',
      });
    return next++;
  };
}
