import { constants } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import {
  MOVE_MOUNT,
  type Op,
  outcomeOf,
  type Program,
  type Reply,
  type Running,
  type RunResult,
  type StdioOption,
  SyscallError,
  start,
  type Told,
} from '@lamella/syscall';
import { NamespaceError } from './namespace-error.js';
import type { ProcessResult } from './process-result.js';
import { whatIsTooLong } from './too-long.js';

export interface ProcessOptions {
  /** stdin, stdout and stderr. Default: ignored, collected, collected. */
  readonly stdio?: readonly [StdioOption, StdioOption, StdioOption];
  /** Written to stdin, which is a pipe then. */
  readonly input?: string | Uint8Array | Readable;
  /** Milliseconds after which everything in the container is killed and the result says `timedOut`. */
  readonly timeout?: number;
  /** Aborting kills everything in the container and rejects when it is gone. */
  readonly signal?: AbortSignal;
  /** Told when a job ({@link ProcessSpec.job}) was stopped, by which signal; it goes on when it gets SIGCONT. */
  readonly onStopped?: (signal: number) => void;
  /** How collected output is returned. Default text. */
  readonly encoding?: 'utf8' | 'buffer';
  /** Bytes collected per stream before the container is killed. Default 100 million. */
  readonly maxBuffer?: number;
}

/** A process in a container, from its start to the release of all it used. */
export interface ContainerProcess {
  readonly stdin: Writable | null;
  readonly stdout: Readable | null;
  readonly stderr: Readable | null;
  /** The host's pid of the container's init, once it has executed; undefined if it never does. */
  readonly started: Promise<number | undefined>;
  readonly result: Promise<ProcessResult>;
  /** Send a signal to the container's init. */
  kill(signal?: NodeJS.Signals | number): void;
  /** Change the size of its terminal. */
  resize(rows: number, columns: number): void;
  /** Tell the monitor that the user's terminal is this process's again, after `onStopped`. */
  foreground(): void;
  /** Resolves when the user left it with the keys for that: it goes on, and `result` stays pending. */
  readonly detached: Promise<void>;
  /** Let a process that was held go on, with these ops as the rest of it. */
  go(program?: Program): void;
  /** Let go of a process whose monitor was detached; it has to have started. */
  release(): void;
}

/** A program under way, and what was seen of it that explains a failure. */
interface Begun {
  readonly running: Running;
  /** A place where the command could have been was closed to us. */
  readonly denied: () => boolean;
  readonly detached: Promise<void>;
}

function begin(
  program: Program,
  stdio: readonly [StdioOption, StdioOption, StdioOption],
  signal: AbortSignal | undefined,
  onData: ((data: Buffer) => void) | undefined,
  onStopped?: (signal: number) => void,
): Begun {
  let denied = false;
  const detached = Promise.withResolvers<void>();
  const running = start(program, {
    stdio,
    ...(signal ? { signal } : {}),
    onReply: (reply: Reply, op?: Op) => {
      if (reply.kind === 'data') onData?.(reply.data);
      if (reply.kind === 'detached') detached.resolve();
      if (reply.kind === 'stopped') onStopped?.(reply.signal);
      denied ||= isDenied(reply, op);
    },
  });
  return { running, denied: () => denied, detached: detached.promise };
}

/**
 * Run a program that {@link enter} (and the engine around it) made.
 *
 * @param args the command, for the result and for errors
 * @param onData told what `read_file` ops of the program read
 * @throws (by `result`) NamespaceError `COMMAND_NOT_FOUND`, `COMMAND_NOT_EXECUTABLE`, and others
 * that explain a failed call; SyscallError; the AbortSignal's reason
 */
export function launch(program: Program, args: readonly string[], options: ProcessOptions = {}, onData?: (data: Buffer) => void): ContainerProcess {
  const began = performance.now();
  const [stdin, stdout, stderr] = options.stdio ?? ['ignore', 'pipe', 'pipe'];
  const begun = begin(program, [options.input === undefined ? stdin : 'pipe', stdout, stderr], options.signal, onData, options.onStopped);
  return watch(begun, args, options, began);
}

/** A process that waits, all but executed (see {@link ProcessSpec.hold}); its stdio are pipes. */
export interface HeldProcess {
  /** Let it go on, once, with the {@link rest} of a program; `stdio` is what it is. */
  go(program: Program, args: readonly string[], options?: Omit<ProcessOptions, 'stdio'>): ContainerProcess;
  /** End it unused. Resolves when all is released. */
  abandon(): Promise<void>;
  /** Resolves when it has ended, whyever. */
  readonly lost: Promise<void>;
}

/** Run a program that waits before its last part. */
export function launchHeld(program: Program, onData?: (data: Buffer) => void): HeldProcess {
  const begun = begin(program, ['pipe', 'pipe', 'pipe'], undefined, onData);
  const { running } = begun;
  const over = (): void => undefined;
  // Who lets it go has its result, and its failure.
  const ended = running.result.then(over, over);
  return {
    lost: ended,
    go(rest, args, options = {}) {
      const began = performance.now();
      // Nobody types: an empty stdin, not one that never ends.
      if (options.input === undefined) running.stdin?.end();
      const { signal } = options;
      const abort = (): void => running.control({ op: 'stop', signo: constants.signals.SIGKILL });
      signal?.addEventListener('abort', abort, { once: true });
      running.control({ op: 'go', program: rest });
      if (signal?.aborted) abort();
      const process = watch(begun, args, options, began);
      const result = process.result.then((found) => {
        signal?.removeEventListener('abort', abort);
        if (signal?.aborted) throw signal.reason;
        return found;
      });
      result.catch(() => undefined);
      return { ...process, result };
    },
    async abandon() {
      running.control({ op: 'stop', signo: constants.signals.SIGKILL });
      await ended;
    },
  };
}

/** See a process to its end. */
function watch({ running, denied, detached }: Begun, args: readonly string[], options: ProcessOptions, began: number): ContainerProcess {
  const kill = (signal: NodeJS.Signals | number = 'SIGTERM'): void =>
    running.control({ op: 'signal', signo: typeof signal === 'number' ? signal : constants.signals[signal] });
  let timedOut = false;
  let isMaxBuffer = false;
  const overflow = (): void => {
    isMaxBuffer = true;
    kill('SIGKILL');
  };
  const limit = options.maxBuffer ?? 100_000_000;
  const collecting = [running.stdout, running.stderr].map((stream) => (stream ? collect(stream, limit, overflow) : undefined));
  const timer =
    options.timeout === undefined
      ? undefined
      : setTimeout(() => {
          timedOut = true;
          kill('SIGKILL');
        }, options.timeout);
  if (options.input !== undefined && running.stdin) void feed(options.input, running.stdin);

  const finish = async (): Promise<ProcessResult> => {
    try {
      const { exited, releaseFailures } = await running.result;
      const [out, err] = await Promise.all(collecting);
      const status = exited?.status ?? 0;
      const signal = exited?.signal ? signalName(exited.signal) : undefined;
      const decode = (buffer: Buffer | undefined): string | Uint8Array | undefined =>
        buffer && (options.encoding === 'buffer' ? buffer : buffer.toString('utf8').replace(/\r?\n$/, ''));
      return {
        command: args.map(quote).join(' '),
        exitCode: signal ? undefined : status,
        signal,
        stdout: decode(out),
        stderr: decode(err),
        durationMs: performance.now() - began,
        failed: status !== 0 || signal !== undefined,
        timedOut,
        isMaxBuffer,
        releaseFailures,
      };
    } catch (error) {
      throw explainFailure(error, args, denied());
    } finally {
      clearTimeout(timer);
    }
  };
  const result = finish();
  // A program that awaits `started` alone must not end by a rejection that it never looks at.
  result.catch(() => undefined);
  return {
    stdin: options.input === undefined ? running.stdin : null,
    stdout: running.stdout,
    stderr: running.stderr,
    started: running.started,
    result,
    kill,
    resize: (rows, columns) => running.control({ op: 'resize', rows, columns }),
    foreground: () => running.control({ op: 'foreground' }),
    detached,
    go: (program = []) => running.control({ op: 'go', program }),
    release: () => running.release(),
  };
}

async function collect(stream: Readable, limit: number, overflow: () => void): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  stream.on('data', (chunk: Buffer) => {
    const room = limit - length;
    if (room > 0) chunks.push(chunk.length > room ? chunk.subarray(0, room) : chunk);
    length += chunk.length;
    if (chunk.length > room && room > 0) overflow();
  });
  await new Promise((resolve) => stream.once('close', resolve));
  return Buffer.concat(chunks);
}

/** A process may end, or close its stdin, before it has read everything: that is no failure. */
async function feed(input: string | Uint8Array | Readable, stdin: Writable): Promise<void> {
  try {
    if (typeof input === 'string' || input instanceof Uint8Array) {
      stdin.on('error', () => stdin.destroy());
      stdin.end(input);
    } else await pipeline(input, stdin);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== 'EPIPE' && code !== 'ERR_STREAM_PREMATURE_CLOSE' && code !== 'ECONNRESET') throw error;
  }
}

/** The name of a signal. Real-time signals and those that libc keeps for itself have none in Node (signal(7)). */
function signalName(signo: number): NodeJS.Signals {
  const name = Object.entries(constants.signals).find(([, value]) => value === signo)?.[0];
  return (name ?? (signo >= 34 ? `SIGRTMIN+${signo - 34}` : `SIG${signo}`)) as NodeJS.Signals;
}

function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/**
 * What came of a program that a front ran ({@link becomeFront} in @lamella/syscall).
 *
 * @throws as the result of {@link launch}
 */
export async function explainTold(told: Told, args: readonly string[]): Promise<RunResult> {
  let denied = false;
  try {
    return await outcomeOf(told, (reply, op) => {
      denied ||= isDenied(reply, op);
    });
  } catch (error) {
    throw explainFailure(error, args, denied);
  }
}

/** A place where the command could have been was closed to us. Other ops may be denied, too, and say nothing of the command. */
function isDenied(reply: Reply, op: Op | undefined): boolean {
  return reply.kind === 'ignored' && op?.op === 'execve' && reply.errno === constants.errno.EACCES;
}

/** A mount that would have been where it may not be. */
function explainLanding(
  { pathname, exact }: Extract<Op, { readonly op: 'landed' }>,
  code: string,
  make: (code: string, message: string, hint: string) => NamespaceError,
): NamespaceError | undefined {
  const destination = String(pathname);
  const hint = 'The image has a link there. Mount on the path that is meant, or correct the image.';
  if (code === 'ELOOP' && exact) return make('MOUNT_REFUSED', `nothing can be mounted on ${destination} in the container: it is behind a link`, hint);
  if (code === 'EXDEV' || code === 'EBUSY')
    return make(
      'MOUNT_REFUSED',
      `nothing can be mounted on ${destination} in the container: a link leads ${code === 'EBUSY' ? 'to its root' : 'into what confines it, such as /proc, /sys or /dev'}`,
      hint,
    );
  return undefined;
}

/** Say what a failed call means for somebody who wanted a container. */
function explainFailure(error: unknown, args: readonly string[], denied: boolean): unknown {
  // What serves a container is not the container's: who has it serve knows what it means.
  if (!(error instanceof SyscallError) || error.server) return error;
  const command = args[0] ?? '';
  const make = (code: string, message: string, hint: string): NamespaceError => new NamespaceError({ code, message, hint, cause: error });
  switch (error.op.op) {
    case 'execve':
      if (error.code === 'ENOENT' && !denied)
        return make(
          'COMMAND_NOT_FOUND',
          `${command}: not found in the container`,
          'It is not in the PATH there, or the loader it needs is missing from the image.',
        );
      if (error.code === 'ENOTDIR' && !denied)
        return make('COMMAND_NOT_FOUND', `${command}: not found in the container`, 'A part of its path is not a directory.');
      if (error.code === 'E2BIG') return make('COMMAND_TOO_LONG', `${command}: ${whatIsTooLong(error.op)}`, 'Pass long data by stdin or a file.');
      return make(
        'COMMAND_NOT_EXECUTABLE',
        `${command}: cannot be executed in the container: ${denied ? 'EACCES' : error.code}`,
        error.code === 'ENOEXEC' ? 'It is made for another architecture, or a script without a #! line.' : 'Check its mode and owner in the image.',
      );
    case 'clone':
    case 'unshare':
    case 'netns':
      if (error.code === 'EPERM' || error.code === 'ENOSPC' || error.code === 'EUSERS')
        return make(
          'NAMESPACE_BLOCKED',
          `new namespaces are not allowed here: ${error.code}`,
          'Run as root, or allow user namespaces: sysctl kernel.unprivileged_userns_clone=1, user.max_user_namespaces above 0, kernel.apparmor_restrict_unprivileged_userns=0.',
        );
      if (error.code === 'EINVAL') return make('NAMESPACE_UNSUPPORTED', 'this kernel lacks one of the namespaces asked for', 'See `lamella doctor`.');
      return error;
    case 'fsmount':
      if (error.code === 'EPERM')
        return make(
          'MOUNT_MASKED',
          'a fresh /proc or /sys cannot be mounted in this user namespace: EPERM',
          'The one outside has hidden parts, as in Docker or Kubernetes. Run as root there, or unmask it (docker run --security-opt systempaths=unconfined).',
        );
      return error;
    case 'mkpath':
      if (error.code === 'ENOTDIR' || error.code === 'EISDIR')
        return make(
          'MOUNT_TARGET_INVALID',
          `${String(error.op.pathname)} in the container is ${error.code === 'EISDIR' ? '' : 'not '}a directory`,
          'A directory goes on a directory, a file on a file.',
        );
      if (error.code === 'ENOENT' || error.code === 'ELOOP')
        return make(
          'MOUNT_TARGET_INVALID',
          `${String(error.op.pathname)} in the container leads ${error.code === 'ELOOP' ? 'in a circle' : 'to nothing'}: the image has a link there`,
          'Mounts go where links lead inside of the root; this one leads nowhere.',
        );
      if (error.code === 'EROFS')
        return make(
          'MOUNT_TARGET_MISSING',
          `${String(error.op.pathname)} is missing in the container, in what is read-only there`,
          'Create it in the image, or in the volume that it is below.',
        );
      return error;
    case 'move_mount':
      if (!(error.op.flags & MOVE_MOUNT.T_EMPTY_PATH)) return error;
      return make(
        'MOUNT_TARGET_INVALID',
        `what is to be mounted does not fit on what is there in the container: ${error.code}`,
        'A directory goes on a directory, a file on a file.',
      );
    case 'landed':
      return explainLanding(error.op, error.code, make) ?? error;
    case 'covered':
      return make(
        'MASK_FAILED',
        `${String(error.op.pathname)} in the container cannot be ${error.code === 'ESTALE' ? 'hidden, or made read-only' : `looked at: ${error.code}`}`,
        'What is mounted there is of another kind. Mount it elsewhere, or show everything: --privileged.',
      );
    case 'expect_type':
      return make(
        'MOUNT_REFUSED',
        'nothing can be mounted on /proc in the container but a proc filesystem: the source is none',
        'Only -v /proc:/proc is possible, and what is hidden there stays hidden.',
      );
    case 'open_tree':
      if (error.code === 'ENOENT') return make('BIND_SOURCE_MISSING', `${String(error.op.pathname)} does not exist on the host`, 'Create it first.');
      return error;
    case 'setrlimit':
      return make('RLIMIT_DENIED', `a resource limit cannot be set: ${error.code}`, 'Above the hard limit of this process only CAP_SYS_RESOURCE can go.');
    case 'write_file':
      if (error.op.pathname === '/proc/self/oom_score_adj')
        return make(
          'OOM_SCORE_DENIED',
          `the oom_score_adj cannot be ${String(error.op.data)}: ${error.code}`,
          'Below what this process has itself only CAP_SYS_RESOURCE can go.',
        );
      return error;
    case 'seccomp':
      return make(
        'SECCOMP_DENIED',
        `the filter on system calls cannot be set: ${error.code}`,
        'The kernel needs CONFIG_SECCOMP_FILTER; --security-opt seccomp=unconfined goes without.',
      );
    case 'setgroups':
    case 'setresuid':
    case 'setresgid':
      if (error.code === 'EINVAL')
        return make(
          'USER_UNMAPPED',
          'that user does not exist in this user namespace',
          'An ordinary user has one id here, which is root inside; other users need root.',
        );
      return error;
    default:
      return error;
  }
}
