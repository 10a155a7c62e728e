import type { LamellaError } from '../errors/lamella-error.js';
import type { Op, Program, ServeOp } from '../ops/op.js';

/** Finds the ops of a running program again, when a reply names one. */
export interface ProgramIndex {
  op(index: number): Op | undefined;
  /** Ops of an exit program: their failures do not undo the result. */
  isRelease(index: number): boolean;
  /** What starts the process beside the program that an op is one of. */
  serverOf?(index: number): ServeOp | undefined;
  /** Ops that come later, with a `go`: their first index. */
  append?(program: Program): number;
  /** What a failure means, where the maker of the frames knows better than the op's name. */
  explain?(index: number, errno: number): LamellaError | undefined;
}
