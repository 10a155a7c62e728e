import { readFileSync, writeFileSync } from 'node:fs';
import type { Container } from '@lamella/engine';
import { numberOfSignal } from '../output/exit-status.js';
import { windowSize } from './forward-signals.js';

/** What a process can be sent, but for what no process hears, what ends Node for its own faults, and what is about its children and its terminal's size. */
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

/** Milliseconds until somebody who types is heard. */
const LOOK_AGAIN = 200;

const STOPPING: ReadonlySet<NodeJS.Signals> = new Set(['SIGTSTP', 'SIGTTIN', 'SIGTTOU']);

/** This process, as the shell that started it sees it: a job in the place of the command's. */
export interface JobSignals extends Disposable {
  /** The container to pass signals on to, as soon as there is one. */
  readonly lead: (container: Pick<Container, 'kill' | 'resize' | 'foreground'>) => void;
  /** The command was stopped: so is this process, and both go on together. */
  readonly stopped: () => void;
}

/**
 * Pass all signals on to a command that is a job ({@link RunSpec.job}), and stop and go on with it.
 *
 * @param terminal whether it has a terminal of its own, in the place of this process's
 */
export function jobSignals(terminal: boolean): JobSignals {
  let led: Parameters<JobSignals['lead']>[0] | undefined;
  const early: NodeJS.Signals[] = [];
  /** Whether this process was told to stop, and to go on before the command had stopped. */
  let told: 'to stop' | 'to go on' | undefined;
  /**
   * Set for the rest of a turn of the event loop in which this process was told to go on. Of a stop and a SIGCONT right after it, the
   * second may be told first: while the main thread begins to handle the one, another thread handles the other. Both are told in one turn then.
   */
  let goesOn: NodeJS.Immediate | undefined;
  let stopping: NodeJS.Immediate | undefined;
  const forward = (signal: NodeJS.Signals): void => {
    if (STOPPING.has(signal)) told = goesOn ? 'to go on' : 'to stop';
    if (led) led.kill(signal);
    else early.push(signal);
  };
  const resize = (): void => {
    const size = windowSize();
    if (size) led?.resize(size.rows, size.columns);
  };
  /** Set while the terminal is another job's. A shell that brings one which runs to the foreground does not tell it. */
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
  const goOn = (): void => {
    takeTerminal();
    awaitTerminal();
    led?.kill('SIGCONT');
  };
  const continued = (): void => {
    if (told === 'to stop') told = 'to go on';
    goesOn ??= setImmediate(() => {
      goesOn = undefined;
    });
    goOn();
  };
  const stopUnlessTold = (): void => {
    // With its whole job, as Ctrl-Z does. Without a shell that would let it go on, the kernel does not stop it.
    if (told !== 'to go on') process.kill(0, 'SIGTSTP');
    told = undefined;
    stopping = undefined;
    process.on('SIGTSTP', forward);
    goOn();
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
      // Not yet: a SIGCONT that came meanwhile is told after what came by a socket, and would find this process stopped. What comes in the
      // microseconds between the last look and the stop still does: Node cannot block signals, by which a shell would leave no gap.
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

/** Whether what is typed at this process's terminal is for it (proc_pid_stat(5): `pgrp` and `tpgid`). */
export function isForeground(): boolean {
  const stat = readFileSync('/proc/self/stat', 'latin1');
  const [, , group, , , foreground] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return group === foreground;
}

/** End as the command did: a shell that waits for this process acts on a signal otherwise than on a status. */
export function endBySignal(signal: NodeJS.Signals): void {
  const number = numberOfSignal(signal);
  // For the case that the signal does not end this process: libc and Node handle some, and the kernel delivers others a moment later.
  process.exitCode = 128 + number;
  // The command's memory is what would be looked at, and not this process's.
  writeFileSync('/proc/self/coredump_filter', '0');
  try {
    process.kill(process.pid, number);
  } catch (error) {
    // libc refuses to send the signals that it uses itself.
    if ((error as NodeJS.ErrnoException).code !== 'EINVAL') throw error;
  }
}
