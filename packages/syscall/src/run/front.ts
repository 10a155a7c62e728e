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

/** So many bytes of arguments and environment execve(2) takes whatever the limits are (32 pages), with some room: Node does not survive its failure. */
const MAX_STRINGS = 120_000;

/** What the front has room for. */
const MAX_MAPS = 8000;

/** Whether this process can become the front of a program at all. Who names another interpreter wants it to be looked after. */
export function canBecomeFront(): boolean {
  return typeof process.execve === 'function' && !process.env.LAMELLA_INIT;
}

/**
 * Let a small program take this process's place (execve(2)), run a program as its child, pass signals on to it, and
 * end with its status. Nothing of Node is left while it runs. Returns only where that is not possible: for programs that are
 * too long, or that clone nothing.
 */
export function becomeFront(program: Program, options: FrontOptions): void {
  const { title, stdin, explainer, context, left = '', onLast } = read('becomeFront(program, options)', options, FRONT_OPTIONS);
  if (!canBecomeFront() || !program.some(({ op }) => op === 'clone')) return;
  const file = interpreterPath();
  const args = [title, 'front', stdin ? '1' : '0', process.execPath, ...explainer];
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

/** What execve(2) counts: strings with their ends, and pointers. */
function sizeOf(args: readonly string[], env: Readonly<Record<string, string | undefined>>): number {
  const strings = [...args, ...Object.entries(env).map(([name, value]) => `${name}=${value}`)];
  return strings.reduce((total, each) => total + Buffer.byteLength(each) + 9, 0);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    // Whoever spawns it says why.
    return false;
  }
}

/** What a front handed over: in the process that explains. */
export interface FrontReport {
  readonly program: Program;
  readonly context: string;
  readonly replies: Buffer;
  /** The interpreter's, of wait(2); undefined when the ids of the program could not be mapped. */
  readonly waitStatus: number | undefined;
}

/** Read what {@link becomeFront} left; `waitStatus` is the word after the explainer's own. */
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
 * What a program came to, from what it replied.
 *
 * @throws as {@link Running}'s `result`
 */
export async function outcomeOf({ program, replies, waitStatus }: FrontReport, onReply: (reply: Reply, op?: Op) => void): Promise<RunResult> {
  // Whoever refused them says why when it is asked again; and if not, it was another moment.
  if (waitStatus === undefined) {
    await runInUserNamespace([{ op: 'umask', mask: 0o22 }]);
    throw new ProgramError({ code: 'SUBIDS_DENIED', message: 'the ids of the container could not be mapped', hint: 'Now they can: try again.' });
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

/** Byte strings as text, as the ops of a program that was not encoded have them. */
function withText<Any>(value: Any): Any {
  if (Buffer.isBuffer(value)) return textOf(value) as Any;
  if (Array.isArray(value)) return value.map(withText) as Any;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, withText(each)])) as Any;
}
