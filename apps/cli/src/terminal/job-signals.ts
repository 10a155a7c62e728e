import { readFileSync, writeFileSync } from 'node:fs';
import type { Container } from '@lamella/engine';
import { numberOfSignal } from '../output/exit-status.js';
import { windowSize } from './forward-signals.js';

/** All signals except those that cannot be caught, those for faults of Node itself, SIGCHLD and SIGWINCH. */
const FORWARDED: readonly NodeJS.Signals[] = [
  'SIGHUP',
  'SIGINT',
  'SIGQUIT',
  'SIGTERM',
  'SIGUSR1',
  'SIGUSR2',
  'SIGALRM',
  'SIGTSTP',
  'SIGTTIN',
  'SIGTTOU',
  'SIGVTALRM',
  'SIGXCPU',
  'SIGXFSZ',
  'SIGIO',
  'SIGPWR',
  'SIGURG',
];

/** Milliseconds between two checks whether the terminal is ours. */
const LOOK_AGAIN = 200;

const STOPPING: ReadonlySet<NodeJS.Signals> = new Set(['SIGTSTP', 'SIGTTIN', 'SIGTTOU']);

/** Makes this process a job of the shell in place of the command's job. */
export interface JobSignals extends Disposable {
  /** Sets the container that gets the signals. */
  readonly lead: (container: Pick<Container, 'kill' | 'resize' | 'foreground'>) => void;
  /** Stops this process after the command has stopped. Both continue together. */
  readonly stopped: () => void;
}

/**
 * Forwards all signals to a command that is a job ({@link RunSpec.job}), and stops and continues with it.
 *
 * @param terminal whether the command has a separate terminal
 */
export function jobSignals(terminal: boolean): JobSignals {
  let led: Parameters<JobSignals['lead']>[0] | undefined;
  const early: NodeJS.Signals[] = [];
  /** The last order to this process: to stop, or to continue before the command had stopped. */
  let told: 'stop' | 'continue' | undefined;
  /**
   * Set for the rest of a turn of the event loop in which SIGCONT came. Of a stop signal and a SIGCONT right after it, the second may be
   * reported first, because another thread may handle it. Both are reported in the same turn then.
   */
  let goesOn: NodeJS.Immediate | undefined;
  let stopping: NodeJS.Immediate | undefined;
  const forward = (signal: NodeJS.Signals): void => {
    if (STOPPING.has(signal)) told = goesOn ? 'continue' : 'stop';
    if (led) led.kill(signal);
    else early.push(signal);
  };
  const resize = (): void => {
    const size = windowSize();
    if (size) led?.resize(size.rows, size.columns);
  };
  /** Set while the terminal belongs to another job. A shell does not signal a running job that it brings to the foreground. */
  let waiting: NodeJS.Timeout | undefined;
  const takeTerminal = (): void => {
    if (!terminal || !isForeground()) return;
    clearInterval(waiting);
    waiting = undefined;
    led?.foreground();
    resize();
  };
  const awaitTerminal = (): void => {
    if (terminal && !isForeground()) waiting ??= setInterval(takeTerminal, LOOK_AGAIN).unref();
  };
  const continueJob = (): void => {
    takeTerminal();
    awaitTerminal();
    led?.kill('SIGCONT');
  };
  const continued = (): void => {
    if (told === 'stop') told = 'continue';
    goesOn ??= setImmediate(() => {
      goesOn = undefined;
    });
    continueJob();
  };
  const stopUnlessTold = (): void => {
    // The whole process group, as Ctrl-Z does. The kernel does not stop it without a shell that could continue it.
    if (told !== 'continue') process.kill(0, 'SIGTSTP');
    told = undefined;
    stopping = undefined;
    process.on('SIGTSTP', forward);
    continueJob();
  };
  for (const signal of FORWARDED) process.on(signal, forward);
  process.on('SIGCONT', continued);
  if (terminal) process.on('SIGWINCH', resize);
  return {
    lead(container) {
      led = container;
      awaitTerminal();
      for (const signal of early) container.kill(signal);
    },
    stopped() {
      process.off('SIGTSTP', forward);
      // Not yet: a SIGCONT that came meanwhile is reported after events of sockets, and would come too late. A gap of microseconds remains,
      // because Node cannot block signals.
      stopping ??= setImmediate(() => {
        stopping = setImmediate(stopUnlessTold);
      });
    },
    [Symbol.dispose]() {
      clearInterval(waiting);
      clearImmediate(stopping);
      for (const signal of FORWARDED) process.off(signal, forward);
      process.off('SIGCONT', continued);
      process.off('SIGWINCH', resize);
    },
  };
}

/** Whether this process is in the foreground of its terminal (proc_pid_stat(5): `pgrp` and `tpgid`). */
export function isForeground(): boolean {
  const stat = readFileSync('/proc/self/stat', 'latin1');
  const [, , group, , , foreground] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return group === foreground;
}

/** Ends this process by the signal that ended the command, because shells treat a signal differently from a status. */
export function endBySignal(signal: NodeJS.Signals): void {
  const number = numberOfSignal(signal);
  // For signals that do not end this process, because libc or Node handles them, or the kernel delivers them later.
  process.exitCode = 128 + number;
  // No core dump: only that of the command is of interest.
  writeFileSync('/proc/self/coredump_filter', '0');
  try {
    process.kill(process.pid, number);
  } catch (error) {
    // libc refuses to send its internal signals.
    if ((error as NodeJS.ErrnoException).code !== 'EINVAL') throw error;
  }
}
