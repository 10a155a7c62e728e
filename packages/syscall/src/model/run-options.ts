import type { Op } from '../ops/op.js';
import type { Reply } from '../wire/replies.js';

/** What a program has as stdin, stdout or stderr. A number is a descriptor of this process. */
export type StdioOption = 'inherit' | 'pipe' | 'ignore' | number;

/** Options of {@link run}. */
export interface RunOptions {
  /** The program's stdin, stdout and stderr. Default: stdin and stdout ignored, stderr inherited. */
  readonly stdio?: readonly [StdioOption, StdioOption, StdioOption];
  /** Aborting kills what the program cloned and rejects. The exit program still runs. */
  readonly signal?: AbortSignal;
  /** More descriptors of this process. The program takes them with `inherited`, from number 5 on. */
  readonly descriptors?: readonly number[];
  /** Whether a spawner may start the interpreter, where that is possible. The pid of the interpreter is not known then. Default false. */
  readonly spawner?: boolean;
  /** Called for every reply, in order. For an `ignored` reply the op is passed too, if it is known. */
  readonly onReply?: (reply: Reply, op?: Op) => void;
}
