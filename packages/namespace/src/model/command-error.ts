import { LamellaError, visible } from '@lamella/syscall';
import type { Content, Overflow } from '../stdio/streams.js';
import type { CommandErrorCode } from './error-codes.js';
import { signalName } from './process-end.js';
import type { ProcessOptions } from './process-options.js';
import type { ProcessResult } from './process-result.js';

/**
 * A command that failed: its result as an error, which is what is thrown with `reject`. Codes are `COMMAND_FAILED`, `COMMAND_TIMED_OUT`,
 * `COMMAND_CANCELED`, `MAX_BUFFER` and `STREAM_FAILED`.
 */
export class CommandError extends LamellaError<CommandErrorCode> {
  static override readonly brand: string = 'CommandError';
  override readonly name = 'CommandError';
  readonly shortMessage: string;
  readonly originalMessage: string | undefined;

  constructor(fields: { readonly code: CommandErrorCode; readonly shortMessage: string; readonly message: string; readonly cause: unknown }, result: Ended) {
    super(fields);
    this.shortMessage = fields.shortMessage;
    this.originalMessage = fields.cause === undefined ? undefined : messageOf(fields.cause);
    Object.assign(this, result);
  }

  /** The fields of the result, without an error's. */
  override toJSON(): { name: string; code: CommandErrorCode; message: string } {
    const { name, hint, ...fields } = this;
    return { ...fields, name, message: this.message } as never;
  }
}

/** What is known at the end of a command, whether it failed or not. */
export type Ended = Omit<ProcessResult, 'message' | 'shortMessage' | 'originalMessage' | 'cause' | 'code'>;

/** What makes a result of an end. */
export interface Circumstances {
  readonly overflow: Overflow | undefined;
  /** What a stream failed with, why it was cancelled, or the error that `kill()` was given. */
  readonly cause: unknown;
  readonly options: ProcessOptions;
}

/** Returns the result of a command: an error if it failed. */
export function resultOf(ended: Ended, { overflow, cause, options }: Circumstances): ProcessResult {
  if (!ended.failed) return ended;
  const { timeout, killSignal = 'SIGTERM', forceKillAfterDelay = true } = options;
  const forced = ended.isForcefullyTerminated
    ? ` and was forcefully terminated after ${typeof forceKillAfterDelay === 'boolean' ? FORCE_KILL_DELAY : forceKillAfterDelay} milliseconds`
    : '';
  const told = ended.signal === undefined ? '' : ` (${ended.signalDescription})`;
  const [code, prefix]: readonly [CommandErrorCode, string] = ended.timedOut
    ? ['COMMAND_TIMED_OUT', `Command timed out after ${timeout} milliseconds${forced}`]
    : ended.isCanceled
      ? ['COMMAND_CANCELED', `Command was canceled${forced}`]
      : overflow
        ? ['MAX_BUFFER', `Command's ${overflow.output} was larger than ${overflow.limit} ${overflow.unit}${forced}`]
        : ended.isForcefullyTerminated
          ? ['COMMAND_FAILED', `Command was killed with ${typeof killSignal === 'number' ? signalName(killSignal) : killSignal}${forced}`]
          : ended.signal !== undefined
            ? ['COMMAND_FAILED', `Command was killed with ${ended.signal}${told}`]
            : [cause === undefined || ended.exitCode !== 0 ? 'COMMAND_FAILED' : 'STREAM_FAILED', `Command failed with exit code ${ended.exitCode}`];
  const original = cause === undefined || overflow ? undefined : messageOf(cause);
  const shortMessage = `${prefix}: ${ended.escapedCommand}${original === undefined ? '' : `\n${original}`}`;
  const outputs = ended.all === undefined ? [ended.stderr, ended.stdout] : [ended.all];
  const message = [shortMessage, ...outputs.map(shownOutput)].filter(Boolean).join('\n\n');
  return new CommandError({ code, shortMessage, message, cause }, ended) as unknown as ProcessResult;
}

/** As execa has it. */
export const FORCE_KILL_DELAY = 5000;

function messageOf(cause: unknown): string {
  return (cause instanceof Error ? cause.message : String(cause))
    .split('\n')
    .map((line) => visible(line))
    .join('\n');
}

/** What a command wrote, safe to print. */
function shownOutput(content: Content | undefined): string {
  const text =
    content === undefined ? '' : Array.isArray(content) ? content.join('\n') : typeof content === 'string' ? content : Buffer.from(content).toString();
  return text
    .replace(/\r?\n$/, '')
    .split('\n')
    .map((line) => visible(line))
    .join('\n');
}

/** Quotes words as a shell reads them, safe to print. */
export function escapeCommand(args: readonly string[]): string {
  return args.map((arg) => (/^[\w@%+=:,./-]+$/.test(arg) ? arg : `'${visible(arg).replaceAll("'", "'\\''")}'`)).join(' ');
}

/** What signals mean, as signal(7) has it. */
const DESCRIPTIONS: Readonly<Record<string, string>> = {
  SIGABRT: 'Aborted',
  SIGALRM: 'Timer expired',
  SIGBUS: 'Bad memory access',
  SIGFPE: 'Floating-point exception',
  SIGHUP: 'Terminal closed',
  SIGILL: 'Illegal instruction',
  SIGINT: 'User interruption with CTRL-C',
  SIGKILL: 'Forced termination',
  SIGPIPE: 'Broken pipe or socket',
  SIGQUIT: 'User interruption with CTRL-\\',
  SIGSEGV: 'Segmentation fault',
  SIGSYS: 'Invalid system call',
  SIGTERM: 'Termination',
  SIGTRAP: 'Breakpoint',
  SIGUSR1: 'Application-specific signal',
  SIGUSR2: 'Application-specific signal',
  SIGXCPU: 'Processor time limit exceeded',
  SIGXFSZ: 'File size limit exceeded',
};

export function describeSignal(signal: string): string {
  return DESCRIPTIONS[signal] ?? 'Signal';
}
