import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { errnoName } from '../errors/errno.js';
import { ProgramError } from '../errors/program-error.js';
import { interpreterPath } from '../host/interpreter-path.js';
import type { RunOptions, StdioOption } from '../model/run-options.js';
import type { Reply } from '../wire/replies.js';
import { interpreterCommand, keepCopy } from './sealed-copy.js';
import type { Connected, ProgramTraits, Spawner } from './spawner.js';

/** How an interpreter ended: its status, or the signal that killed it. */
export interface InterpreterEnd {
  readonly status: number | null;
  readonly signal: string | null;
}

/** An interpreter that this process or its spawner started. */
export interface InterpreterProcess {
  /** -1 while it is not known. */
  readonly pid: number;
  readonly frames: Writable;
  readonly replies: Readable;
  readonly stdin: Writable | null;
  readonly stdout: Readable | null;
  readonly stderr: Readable | null;
  /** Resolves when it has ended and its replies were read. @throws ProgramError `INIT_FAILED` if it could not be started */
  readonly ended: Promise<InterpreterEnd>;
  /** Has to be called for each reply. */
  take(reply: Reply): void;
  /** Whether it keeps this process alive. It does at first. */
  hold(waits: boolean): void;
  /** Closes both channels and stops waiting for its end. */
  release(): void;
}

type Refable = { ref(): void; unref(): void } | null;

function hold(all: readonly Refable[], waits: boolean): void {
  for (const each of all)
    if (waits) each?.ref();
    else each?.unref();
}

/** Starts an interpreter as a child of this process. @throws an Error of `node:child_process` */
export function startChild({ stdio: [stdin, stdout, stderr] = ['ignore', 'ignore', 'inherit'], descriptors = [] }: RunOptions): InterpreterProcess {
  const { file, args } = interpreterCommand();
  const child: ChildProcess = spawn(file, descriptors.length ? [...args, String(descriptors.length)] : args, {
    argv0: 'lamella-init',
    stdio: [stdin, stdout, stderr, 'pipe', 'pipe', ...descriptors],
    env: {},
    cwd: '/',
  });
  const pid = child.pid ?? -1;
  const frames = child.stdio[3] as Writable;
  const replies = child.stdio[4] as Readable;
  const closed = Promise.withResolvers<void>();
  replies.once('close', () => closed.resolve());
  const exited = Promise.withResolvers<InterpreterEnd>();
  child.once('error', (cause) => {
    closed.resolve();
    exited.reject(cannotStart(cause.message, cause));
  });
  child.once('exit', (status, signal) => exited.resolve({ status, signal }));
  return {
    pid,
    frames,
    replies,
    stdin: child.stdin,
    stdout: child.stdout,
    stderr: child.stderr,
    ended: Promise.all([exited.promise, closed.promise]).then(([end]) => end),
    take(reply) {
      if (reply.kind === 'started' && pid > 0) keepCopy(pid);
    },
    hold: (waits) => hold([child, frames, replies, child.stdin, child.stdout, child.stderr] as Refable[], waits),
    release() {
      child.removeAllListeners('exit');
      frames.destroy();
      replies.destroy();
      child.unref();
    },
  };
}

/** Returns which streams of an interpreter are connections to a spawner; undefined if a spawner cannot make it. */
export function connectedOf({ stdio, descriptors }: RunOptions): Connected | undefined {
  if (descriptors?.length || !stdio?.every((each) => each === 'pipe' || each === 'ignore')) return undefined;
  return stdio.map((each: StdioOption) => each === 'pipe') as unknown as Connected;
}

/** Has a spawner make an interpreter. */
export function startBySpawner(spawner: Spawner, connected: Connected, traits: ProgramTraits): InterpreterProcess {
  const streams = spawner.connect(connected, traits);
  const { frames, replies, stdin, stdout, stderr } = streams;
  const all = [frames, replies, stdin, stdout, stderr];
  let pid: number | undefined;
  let isAccepted = false;
  let status: number | undefined;
  const accepted = (): void => {
    if (!isAccepted) spawner.accepted(all.filter((each) => each !== null).length);
    isAccepted = true;
  };
  const ended = Promise.withResolvers<InterpreterEnd>();
  let isReleased = false;
  // They end with an error where the other side was killed before it read everything.
  replies.on('error', () => undefined);
  // The other side has ended, while the socket closes a turn of the event loop later.
  replies.once('end', () => {
    if (status !== undefined) ended.resolve({ status, signal: null });
  });
  replies.once('close', () => {
    accepted();
    if (isReleased) return;
    if (status === undefined) void spawner.reportOf(pid).then(ended.resolve);
    else ended.resolve({ status, signal: null });
  });
  return {
    get pid() {
      return pid ?? -1;
    },
    frames,
    replies,
    stdin,
    stdout,
    stderr,
    ended: ended.promise,
    take(reply) {
      if (reply.kind === 'done') ({ status } = reply);
      if (reply.kind !== 'spawned') return;
      accepted();
      if (reply.errno) ended.reject(cannotStart(`fork ${errnoName(reply.errno)}`));
      else pid = reply.pid;
    },
    hold: (waits) => hold(all, waits),
    release() {
      isReleased = true;
      frames.destroy();
      replies.destroy();
    },
  };
}

function cannotStart(why: string, cause?: Error): ProgramError {
  return new ProgramError({
    code: 'INIT_FAILED',
    message: `cannot run ${interpreterPath()}: ${why}`,
    hint: 'The file must be executable and its filesystem not mounted noexec.',
    ...(cause ? { cause } : {}),
  });
}
