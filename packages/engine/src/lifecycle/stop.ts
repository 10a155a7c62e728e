import { constants } from 'node:os';
import type { ProcessEnd } from '@lamella/namespace';
import { connectMonitor, type MonitorConnection } from '@lamella/syscall';
import { EngineError } from '../model/engine-error.js';
import { signalNumber } from '../options/signal-number.js';
import { notRunning } from './container-errors.js';
import type { ContainerHandle } from './container-handle.js';
import { unpauseContainer } from './pause.js';
import { isAlive, isStarted, stateOf } from './state.js';
import { waitForForcedEnd } from './wait.js';

/** How a container is asked to end. */
export interface StopOptions {
  /** A signal's name or number. Default: the container's `stopSignal`, else the image's, else SIGTERM. */
  readonly signal?: string;
  /** Seconds until it is killed; -1: never. Default: the container's `stopTimeout`, else 10. */
  readonly timeout?: number;
}

/** Milliseconds after which SIGKILL is sent again: the caller must not wait for ever if the first one was lost. */
const KILL_AGAIN = 2000;
/** Milliseconds that a killed container may take to end: as long as Docker waits. */
const KILL_TIMEOUT = 10_000;
const { SIGKILL } = constants.signals;

/**
 * Asks a container to end, and kills it after a time. A container that is not running is left alone.
 *
 * @returns how it ended; undefined if it was not running
 */
export async function stopContainer(container: ContainerHandle, { signal, timeout }: StopOptions): Promise<ProcessEnd | undefined> {
  const { status, monitor } = await container.state();
  // With a monitor the container is starting, or ending.
  if (!isAlive(status) && monitor === undefined) return undefined;
  const { spec, lowers } = container.config;
  const signo = signalNumber(signal ?? spec.stopSignal ?? lowers.config.stopSignal ?? 'SIGTERM');
  const seconds = timeout ?? spec.stopTimeout ?? 10;
  const ending = waitForForcedEnd(container);
  await sendOrder(container, { op: 'stop', signo }, signo);
  // A frozen process gets no signal; with cgroups of version 2 it gets SIGKILL, and the container has ended already.
  if (status === 'paused') await unpauseContainer(container).catch(ignoreEnded);
  await container.recordEvent('stop');
  if (seconds < 0) return ending;
  const failed = Promise.withResolvers<never>();
  let timer: NodeJS.Timeout | undefined;
  const kill = (): void => {
    timer = setTimeout(kill, KILL_AGAIN);
    sendOrder(container, { op: 'stop', signo: SIGKILL }, SIGKILL).catch(failed.reject);
  };
  timer = setTimeout(kill, seconds * 1000);
  try {
    return await Promise.race([ending, failed.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Sends a signal to the init of a container. SIGKILL also prevents a restart, and resolves when the container has ended. A paused container is
 * unpaused, or it would not get the signal.
 *
 * @throws EngineError `CONTAINER_NOT_RUNNING`, `SIGNAL_UNKNOWN`, `KILL_TIMEOUT`
 */
export async function killContainer(container: ContainerHandle, signal: string): Promise<void> {
  const { status } = await container.state();
  const signo = signalNumber(signal);
  if (!isStarted(status)) throw notRunning(container);
  const kills = signo === SIGKILL;
  const aborted = kills ? AbortSignal.timeout(KILL_TIMEOUT) : undefined;
  const ending = aborted && waitForForcedEnd(container, aborted);
  await sendOrder(container, { op: kills ? 'stop' : 'signal', signo }, signo);
  if (status === 'paused') await unpauseContainer(container).catch(ignoreEnded);
  await container.recordEvent('kill');
  try {
    await ending;
  } catch (error) {
    if (error !== aborted?.reason) throw error;
    throw new EngineError({
      code: 'KILL_TIMEOUT',
      message: `the container ${container.shownName} has not ended ten seconds after SIGKILL`,
      hint: `A process of it is in a system call that cannot be interrupted. List them: lamella top ${container.shownName}`,
    });
  }
}

/** Sends an order to the monitor's socket; where it has none, the signal to the container's init. */
async function sendOrder(container: ContainerHandle, op: Parameters<MonitorConnection['order']>[0], signo: number): Promise<void> {
  using connection = await connectMonitor(container.directory, () => undefined);
  if (connection) return connection.order(op);
  const pid = (await stateOf(container.record, undefined))?.pid;
  try {
    if (pid !== undefined) process.kill(pid, signo);
  } catch (error) {
    // It has just ended, as it should.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function ignoreEnded(error: { code?: string }): void {
  if (!['CONTAINER_NOT_PAUSED', 'FREEZER_MISSING', 'CONTAINER_NOT_FOUND'].includes(error.code ?? '')) throw error;
}
