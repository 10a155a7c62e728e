import { accessSync, closeSync, constants, readFileSync } from 'node:fs';
import { constants as os } from 'node:os';
import { ProgramError } from '../errors/program-error.js';
import { isOwnUserNamespace, mapCommands } from '../host/id-mapping.js';
import { interpreterPath } from '../host/interpreter-path.js';
import type { FrontOptions } from '../model/front-options.js';
import type { RunResult } from '../model/run-result.js';
import type { Op, Program } from '../ops/op.js';
import { FRONT_OPTIONS, read } from '../options/option-shapes.js';
import { textOf } from '../text/byte-text.js';
import { decodeProgram } from '../wire/decode.js';
import { encodeProgram } from '../wire/encode.js';
import { type Reply, replyParser } from '../wire/replies.js';
import { Outcome } from './outcome.js';
import { indexOf } from './run.js';
import { runInUserNamespace } from './run-in-user-namespace.js';

/**
 * Bytes of arguments and environment that execve(2) takes under any limits (32 pages), minus a reserve: Node does not survive a
 * failed execve.
 */
const MAX_STRINGS = 120_000;

/** The longest program that the front takes, in bytes. */
const MAX_MAPS = 8000;

/** Returns whether this process can become a front. With `LAMELLA_INIT` set it cannot, because that interpreter may be a wrapper. */
export function canBecomeFront(): boolean {
  return typeof process.execve === 'function' && !process.env.LAMELLA_INIT;
}

/**
 * Replaces this process (execve(2)) by a small one that runs a program as its child, forwards signals to it, and exits with its
 * status. Node uses no memory meanwhile. Returns only if that is impossible: for programs that are too long or clone nothing.
 */
export function becomeFront(program: Program, options: FrontOptions): void {
  const { title, stdin, detached, explainer, context, left = '', onLast } = read('becomeFront(program, options)', options, FRONT_OPTIONS);
  if (!canBecomeFront() || !program.some(({ op }) => op === 'clone')) return;
  const file = interpreterPath();
  const args = [title, 'front', detached ? 'd' : stdin ? '1' : '0', process.execPath, ...explainer];
  const env = {
    ...process.env,
    LAMELLA_PROGRAM: encodeProgram(program).toString('base64').replace(/=+$/, ''),
    LAMELLA_CONTEXT: context,
    LAMELLA_LEFT: left,
    LAMELLA_MAPS: isOwnUserNamespace(program[0])
      ? mapCommands('PID')
          .map((words) => `${words.join('\t')}\n`)
          .join('')
      : '',
  };
  if (env.LAMELLA_MAPS.length > MAX_MAPS) return;
  if (sizeOf(args, env) > MAX_STRINGS || !isExecutable(file)) return;
  onLast?.();
  process.execve?.(file, args, env);
}

/** Returns the size that execve(2) counts: strings with their ends, and pointers. */
function sizeOf(args: readonly string[], env: Readonly<Record<string, string | undefined>>): number {
  const strings = [...args, ...Object.entries(env).map(([name, value]) => `${name}=${value}`)];
  return strings.reduce((total, each) => total + Buffer.byteLength(each) + 9, 0);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    // Spawning it fails later, with the reason.
    return false;
  }
}

/** The data that a front hands over to the process that explains a failure. */
export interface FrontReport {
  readonly program: Program;
  readonly context: string;
  readonly replies: Buffer;
  /** Wait status of the interpreter (wait(2)); undefined if the ids could not be mapped. */
  readonly waitStatus: number | undefined;
}

/**
 * Reads the report of a front (see {@link becomeFront}).
 *
 * @param waitStatus the argument that follows the one of the explainer
 */
export function readFrontReport(waitStatus: string): FrontReport {
  const { LAMELLA_PROGRAM = '', LAMELLA_CONTEXT = '{}' } = process.env;
  const replies = readFileSync(3);
  closeSync(3);
  return {
    program: decodeProgram(Buffer.from(LAMELLA_PROGRAM, 'base64')).map(withText) as Program,
    context: LAMELLA_CONTEXT,
    replies,
    waitStatus: waitStatus === 'unmapped' ? undefined : Number(waitStatus),
  };
}

/**
 * Returns the result of a program from its replies.
 *
 * @throws as the `result` of {@link Running}
 */
export async function outcomeOf({ program, replies, waitStatus }: FrontReport, onReply: (reply: Reply, op?: Op) => void): Promise<RunResult> {
  // Mapping again gives the reason. If it succeeds now, the cause was temporary.
  if (waitStatus === undefined) {
    await runInUserNamespace([{ op: 'umask', mask: 0o22 }]);
    throw new ProgramError({
      code: 'SUBIDS_DENIED',
      message: 'the ids of the container could not be mapped',
      hint: 'The cause was temporary. Run the command again.',
    });
  }
  const outcome = new Outcome(indexOf(program));
  replyParser((reply) => {
    const ignored = outcome.take(reply);
    onReply(reply, ignored);
  })(replies);
  const signo = waitStatus & 0x7f;
  const signal = Object.entries(os.signals).find(([, value]) => value === signo)?.[0] ?? `signal ${signo}`;
  return outcome.result(signo ? { status: null, signal } : { status: waitStatus >> 8, signal: null });
}

/** Returns a decoded op with text for byte strings, as it was before it was encoded. */
function withText<Any>(value: Any): Any {
  if (Buffer.isBuffer(value)) return textOf(value) as Any;
  if (Array.isArray(value)) return value.map(withText) as Any;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, withText(each)])) as Any;
}
