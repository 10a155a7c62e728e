import type { LamellaError } from '../errors/lamella-error.js';
import type { Op, Program, ServeOp } from '../ops/op.js';

/** Maps indexes of replies to the ops of a running program. */
export interface ProgramIndex {
  /** Returns the op of an index, if there is one. */
  op(index: number): Op | undefined;
  /** Whether an op belongs to an exit program, whose failures do not change the result. */
  isRelease(index: number): boolean;
  /** Returns the `serve` op whose process executes an op, if any. */
  serverOf?(index: number): ServeOp | undefined;
  /** Adds the ops of a `go` and returns their first index. */
  append?(program: Program): number;
  /** Describes a failure, if the writer of the frames knows more than the name of the op. */
  explain?(index: number, errno: number): LamellaError | undefined;
}
