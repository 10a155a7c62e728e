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

type Special = 'execve' | 'clone' | 'on_exit' | 'setgroups';
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
  /** What the monitor does with its stdin: see {@link MONITOR_RAW} and {@link MONITOR_INPUT}. */
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

export interface SetgroupsOp extends OpOptions {
  readonly op: 'setgroups';
  readonly list: readonly number[];
}

/** One system call (or one of the few compound steps), as data. */
export type Op = PlainOp | ExecveOp | CloneOp | OnExitOp | SetgroupsOp;

/** A list of ops: composition is concatenation. */
export type Program = readonly Op[];

/** An order to the monitor of a running program. */
export type ControlOp = { [Name in ControlName]: { readonly op: Name } & FieldsOf<Name> }[ControlName];

/** `clone.monitor`: stdin is a terminal of the user's; it is raw while the process runs. */
export const MONITOR_RAW = 2;
/** `clone.monitor`: stdin is read and typed into the container's terminal. */
export const MONITOR_INPUT = 4;

/** Hands out slots, so that lists made by different packages do not use the same one. */
export type SlotAllocator = () => number;

/** Slots from `first` (5 is the lowest a program may use) upwards, to 1023. */
export function slotAllocator(first = 5): SlotAllocator {
  let next = first;
  return () => {
    if (next > 1023) throw new RangeError('a program can hold 1019 descriptors at once');
    return next++;
  };
}
