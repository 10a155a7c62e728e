import { constants } from 'node:os';
import { processesOf } from '@lamella/cgroup';
import { OciError } from '../errors/oci-error.js';
import { readStored, statusOf } from '../state/stored-container.js';

/** Returns the number of a signal: `TERM`, `SIGTERM`, `15`, `RTMIN+3`. @throws OciError `SIGNAL_UNKNOWN` */
export function signalNumber(text: string): number {
  const name = text.toUpperCase().replace(/^SIG/, '');
  const number = /^\d+$/.test(name) ? Number(name) : (constants.signals as Record<string, number>)[`SIG${name}`];
  if (number !== undefined && number >= 0 && number <= 64) return number;
  const [, from, sign, by] = /^RTM(IN|AX)(?:([+-])(\d+))?$/.exec(name) ?? [];
  const real = from === undefined ? Number.NaN : (from === 'IN' ? 34 : 64) + (sign === '-' ? -1 : 1) * Number(by ?? 0);
  if (real >= 34 && real <= 64) return real;
  throw new OciError({ code: 'SIGNAL_UNKNOWN', message: `unknown signal ${JSON.stringify(text)}`, hint: 'Use a name such as TERM, or a number.' });
}

/**
 * Sends a signal to the container's process (runtime.md, "Kill"); with `all` to every process in its cgroup.
 *
 * @throws OciError `CONTAINER_MISSING`, `CONTAINER_NOT_RUNNING`
 */
export function killContainer(root: string, id: string, signal: number, all: boolean): void {
  const found = readStored(root, id);
  const status = statusOf(found);
  if (all) {
    for (const pid of processesOf(found.stored.cgroup)) send(pid, signal);
    return;
  }
  if (status === 'stopped' || status === 'creating')
    throw new OciError({ code: 'CONTAINER_NOT_RUNNING', message: `cannot kill container ${id}: container not running`, hint: `Its status is ${status}.` });
  if (!send(found.stored.init?.pid ?? 0, signal))
    throw new OciError({ code: 'CONTAINER_NOT_RUNNING', message: `cannot kill container ${id}: container not running`, hint: 'Its process has just ended.' });
}

function send(pid: number, signal: number): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}
