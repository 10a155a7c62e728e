import type { Op } from '../ops/op.js';
import type { Reply } from '../wire/replies.js';

export type StdioOption = 'inherit' | 'pipe' | 'ignore' | number;

export interface RunOptions {
  /** The program's stdin, stdout and stderr. Default: stdin and stdout ignored, stderr inherited. */
  readonly stdio?: readonly [StdioOption, StdioOption, StdioOption];
  /** Aborting kills what the program cloned (its exit program still runs) and rejects. */
  readonly signal?: AbortSignal;
  /** More descriptors of this process, which the program has as `inherited` from number 5 on. */
  readonly descriptors?: readonly number[];
  /** Called for every reply, in order; of one that is `ignored` also with the op, where it is known. */
  readonly onReply?: (reply: Reply, op?: Op) => void;
}
