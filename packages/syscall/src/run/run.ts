import type { Readable, Writable } from 'node:stream';
import { isOwnUserNamespace, mapIds } from '../host/id-mapping.js';
import type { ProgramIndex } from '../model/program-index.js';
import type { RunOptions } from '../model/run-options.js';
import type { RunResult } from '../model/run-result.js';
import { CLONE, IOCTL } from '../ops/constants.js';
import type { ControlOp, Op, Program, ServeOp } from '../ops/op.js';
import { RUN_OPTIONS, read } from '../options/option-shapes.js';
import { connectedOf, type InterpreterProcess, startBySpawner, startChild } from '../spawner/interpreter-process.js';
import { type ProgramTraits, readySpawner } from '../spawner/spawner.js';
import { encodeProgram, FrameWriter, flatten } from '../wire/encode.js';
import { replyParser } from '../wire/replies.js';
import { Outcome, silent } from './outcome.js';

/** A running program. */
export interface Running {
  /** Pid of the interpreter, which is the monitor once the program has cloned; -1 if a spawner makes it. */
  readonly pid: number;
  readonly stdin: Writable | null;
  readonly stdout: Readable | null;
  readonly stderr: Readable | null;
  /** Resolves with the pid of the cloned process after its execve; with undefined if that never happens. */
  readonly started: Promise<number | undefined>;
  /**
   * @throws SyscallError when a required op failed; ProgramError `INIT_DIED` when the interpreter
   * itself was killed; the AbortSignal's reason.
   */
  readonly result: Promise<RunResult>;
  /** Sends an order to the monitor: forward a signal, resize the terminal, resume a `wait` op. */
  control(op: ControlOp): void;
  /** Ends the program: kills what it cloned, and its exit program runs. The replies of a program without a clone are ignored. */
  abort(): void;
  /** Pauses the replies, and with them the program. */
  pause(): void;
  /** Resumes the replies, and with them the program. */
  resume(): void;
  /** Whether the program keeps this process alive. It does at first. */
  hold(waits: boolean): void;
  /**
   * Detaches from a monitor that `supervise` detached, whose process has started. It continues without this process, and `result`
   * stays pending.
   */
  release(): void;
}

/**
 * Starts a program; {@link run} also waits for its end. If it begins with {@link ownUserNamespace}, the ids are mapped after that op
 * and before the next.
 */
export function start(program: Program, given: RunOptions = {}): Running {
  const options = read('start(program, options)', given, RUN_OPTIONS);
  const frames = encodeProgram(program);
  const mapsIds = isOwnUserNamespace(program[0]);
  const clones = program.some((op) => op.op === 'clone');
  options.signal?.throwIfAborted();
  const running = follow(startFor(program, clones, options), options, indexOf(program), mapsIds);
  const first = mapsIds ? frames.readUInt32LE(0) : frames.length;
  running.frames.write(frames.subarray(0, first));
  const rest = (): void => {
    if (first < frames.length) running.frames.write(frames.subarray(first));
    if (!clones) running.frames.end();
  };
  // The result rejects with this failure.
  void running.mapped.then(rest, () => undefined);
  if (!clones) return { ...running, abort: running.hangUp };
  // A monitor that has left does not know how its process ends.
  let left = false;
  const result = running.result.then((found) => {
    if (found.exited || left) return found;
    throw silent();
  });
  const control: Running['control'] = (op) => {
    left ||= op.op === 'leave';
    running.control(op);
  };
  return { ...running, result, control };
}

/**
 * Runs a program to its end.
 *
 * @example
 * ```js
 * import { run } from '@lamella/syscall';
 *
 * const { exited } = await run([
 *   { op: 'clone', flags: 0, monitor: 0, program: [{ op: 'execve', pathname: '/bin/sh', argv: ['sh', '-c', 'exit 3'], envp: [] }] },
 * ]);
 * console.log(exited?.status); // 3
 * ```
 */
export function run(program: Program, options: RunOptions = {}): Promise<RunResult> {
  return start(program, options).result;
}

export function indexOf(program: Program): ProgramIndex & Required<Pick<ProgramIndex, 'append'>> {
  let all: Op[] | undefined;
  let release: Set<Op> | undefined;
  const every = (): Op[] => (all ??= flatten(program));
  return {
    op: (index) => every()[index],
    append(later) {
      const first = every().length;
      // The order itself has an index, too.
      every().push({ op: 'wait' }, ...flatten(later));
      return first;
    },
    isRelease(index) {
      release ??= new Set(program.flatMap((each) => (each.op === 'on_exit' ? flatten(each.program) : [])));
      const found = every()[index];
      return found !== undefined && release.has(found);
    },
    serverOf(index) {
      const found = every()[index];
      return every().find((each): each is ServeOp => each.op === 'serve' && (each === found || flatten(each.program).some((nested) => nested === found)));
    },
  };
}

/** An interpreter that executes frames as the caller writes them. */
export interface StreamedRun extends Running {
  readonly frames: Writable;
  /** Resolves when frames after the first may be written: at once, unless ids are mapped. */
  readonly mapped: Promise<void>;
  /** Closes both channels. The interpreter ends with its next reply, even if replies were paused. */
  hangUp(): void;
}

/**
 * Starts an interpreter without a program. Write frames (see {@link FrameWriter}) to `frames`, end it, and await `result`.
 *
 * @param index maps replies to ops, for errors
 * @param mapsIds whether the first frame is that of {@link ownUserNamespace}
 */
export function startInterpreter(options: RunOptions, index: ProgramIndex, { mapsIds = false }: { readonly mapsIds?: boolean } = {}): StreamedRun {
  options.signal?.throwIfAborted();
  return follow(startChild(options), options, index, mapsIds);
}

/** Follows an interpreter to its end. */
function follow(interpreter: InterpreterProcess, options: RunOptions, index: ProgramIndex, mapsIds: boolean): StreamedRun {
  const { frames, replies } = interpreter;
  // The reason is in the replies; a broken pipe only means that the interpreter has ended.
  frames.on('error', () => frames.destroy());

  const started = Promise.withResolvers<number | undefined>();
  const outcome = new Outcome(index);
  let termios: Buffer | undefined;
  const mapped = Promise.withResolvers<void>();
  let unmapped: unknown;
  const map = async (): Promise<void> => {
    try {
      await mapIds(interpreter.pid);
      mapped.resolve();
    } catch (error) {
      unmapped = error;
      frames.destroy();
    }
  };
  // Rejects for callers that wait; others learn of it from the result.
  mapped.promise.catch(() => undefined);
  if (!mapsIds) mapped.resolve();
  const parse = replyParser((reply) => {
    interpreter.take(reply);
    const ignored = outcome.take(reply);
    switch (reply.kind) {
      case 'ok':
        if (mapsIds && reply.index === 0) void map();
        break;
      case 'started':
        started.resolve(reply.pid);
        break;
      case 'terminal':
        termios = reply.termios;
        break;
    }
    options.onReply?.(reply, ignored);
  });
  replies.on('data', parse);

  const onAbort = (): void => {
    frames.destroy();
  };
  options.signal?.addEventListener('abort', onAbort, { once: true });

  const finish = async (): Promise<RunResult> => {
    try {
      const { status, signal: killed } = await interpreter.ended;
      if (killed && termios) await restoreTerminal(termios);
      if (options.signal?.aborted) throw options.signal.reason;
      if (unmapped !== undefined) throw unmapped;
      return outcome.result({ status, signal: killed });
    } catch (error) {
      mapped.reject(error);
      throw error;
    } finally {
      started.resolve(undefined);
      options.signal?.removeEventListener('abort', onAbort);
      frames.destroy();
    }
  };

  return {
    pid: interpreter.pid,
    stdin: interpreter.stdin,
    stdout: interpreter.stdout,
    stderr: interpreter.stderr,
    started: started.promise,
    result: finish(),
    frames,
    mapped: mapped.promise,
    control(op) {
      if (frames.destroyed) return;
      const writer = new FrameWriter(256);
      if (op.op === 'go' && op.program?.length) writer.index = index.append?.(op.program) ?? 0;
      writer.op(op);
      frames.write(writer.take());
    },
    abort: () => frames.destroy(),
    hold: (waits) => interpreter.hold(waits),
    hangUp() {
      frames.destroy();
      replies.destroy();
    },
    pause: () => void replies.pause(),
    resume: () => void replies.resume(),
    release() {
      options.signal?.removeEventListener('abort', onAbort);
      interpreter.release();
    },
  };
}

function traitsOf(program: Program): ProgramTraits {
  const has = (flags: number, flag: number): boolean => Math.floor(flags / flag) % 2 === 1;
  const own = program.every((op) => op.op !== 'unshare' && op.op !== 'setns' && !(op.op === 'clone' && has(op.flags, CLONE.NEWUSER)));
  return { setsUmask: program[0]?.op === 'umask', newNetwork: own && program.some((op) => op.op === 'clone' && has(op.flags, CLONE.NEWNET)) };
}

/** Starts the interpreter for a program: by the spawner of this process, if the caller allows that and there is one. */
function startFor(program: Program, clones: boolean, options: RunOptions): InterpreterProcess {
  const connected = options.spawner && clones ? connectedOf(options) : undefined;
  const spawner = connected && readySpawner();
  return spawner ? startBySpawner(spawner, connected, traitsOf(program)) : startChild(options);
}

/** Restores the settings of the terminal after a monitor was killed. */
async function restoreTerminal(termios: Buffer): Promise<void> {
  await run([{ op: 'ioctl', fd: 0, request: IOCTL.TCSETS, argument: 0, argp: termios, ignore: ['ENOTTY', 'EIO', 'EBADF'] }], {
    stdio: ['inherit', 'ignore', 'ignore'],
  });
}
