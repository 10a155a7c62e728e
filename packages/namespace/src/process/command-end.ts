import { constants } from 'node:os';
import { take } from '@lamella/syscall';
import { FORCE_KILL_DELAY } from '../model/command-error.js';
import { NamespaceError } from '../model/namespace-error.js';
import { type ProcessOptions, SIGNAL } from '../model/process-options.js';

/** How a command is brought to its end: by a signal, and by force where it does not follow that. */
export class CommandEnd {
  timedOut = false;
  isCanceled = false;
  isForcefullyTerminated = false;
  /** Why: the reason of a cancelling, or the error that `kill()` was given. */
  cause: unknown;
  readonly #send: (signo: number) => void;
  readonly #killSignal: number;
  readonly #forceAfter: number | undefined;
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #cancelSignal: AbortSignal | undefined;
  #over = false;
  #endsSoon = false;

  constructor({ timeout = 0, cancelSignal, killSignal = 'SIGTERM', forceKillAfterDelay = true }: ProcessOptions, send: (signo: number) => void) {
    this.#send = send;
    this.#killSignal = numberOf(killSignal);
    this.#forceAfter = forceKillAfterDelay === true ? FORCE_KILL_DELAY : forceKillAfterDelay === false ? undefined : forceKillAfterDelay;
    if (timeout > 0)
      this.#later(timeout, () => {
        this.timedOut = !this.isCanceled;
        this.kill();
      });
    this.#cancelSignal = cancelSignal;
    if (cancelSignal?.aborted) this.#cancel();
    else cancelSignal?.addEventListener('abort', this.#cancel, { once: true });
  }

  /** Sends a signal, by default the one that ends it, and then force. @returns whether it was there to get one */
  kill(signal: NodeJS.Signals | number = this.#killSignal): boolean {
    const signo = numberOf(signal);
    if (this.#over) return false;
    if (signo === 0) return true;
    this.#send(signo);
    const { SIGKILL } = constants.signals;
    if (signo === this.#killSignal && this.#forceAfter !== undefined && signo !== SIGKILL) this.#later(this.#forceAfter, () => this.#force());
    return true;
  }

  #force(): void {
    this.isForcefullyTerminated = true;
    this.#send(constants.signals.SIGKILL);
  }

  /**
   * Ends a command whose streams have failed. Most end by that themselves, so the delay of a forced end passes first. Where there is no such delay the
   * signal is sent at once, and force follows all the same: a process 1 without a handler does not get the signal, and nobody reads the command any more.
   */
  endSoon(): void {
    if (this.#over || this.#endsSoon) return;
    this.#endsSoon = true;
    if (this.#forceAfter !== undefined) {
      this.#later(this.#forceAfter, () => this.kill());
      return;
    }
    this.kill();
    this.#later(FORCE_KILL_DELAY, () => this.#force());
  }

  /** It has ended. */
  over(): void {
    this.#over = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#cancelSignal?.removeEventListener('abort', this.#cancel);
  }

  #cancel = (): void => {
    if (this.#over) return;
    this.isCanceled = !this.timedOut;
    this.cause ??= this.#cancelSignal?.reason;
    this.kill();
  };

  #later(delay: number, work: () => void): void {
    if (!this.#over) this.#timers.push(setTimeout(work, delay));
  }
}

/** @throws NamespaceError `SIGNAL_UNKNOWN` */
function numberOf(signal: NodeJS.Signals | number): number {
  if (signal === 0) return 0;
  try {
    SIGNAL(signal, 'signal');
  } catch (error) {
    if (!(error instanceof take.OptionFault)) throw error;
    throw new NamespaceError({ code: 'SIGNAL_UNKNOWN', message: `${take.shown(signal)} is not a signal`, hint: error.hint });
  }
  return typeof signal === 'number' ? signal : constants.signals[signal];
}
