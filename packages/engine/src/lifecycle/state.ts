import path from 'node:path';
import { isFrozen, wasOomKilled } from '@lamella/cgroup';
import { type ContainerRecord, directoryOf, type HeldLocks, heldLocks, monitorOf } from '@lamella/cleanup';
import { type ProcessEnd, processEndOf } from '@lamella/namespace';
import { bootId } from '@lamella/syscall';
import type { ContainerConfig } from '../model/container-config.js';
import { readConfig } from '../store/config-file.js';
import { cgroupName } from '../store/identifiers.js';
import { withName } from '../store/names.js';
import { readOwn } from '../store/read-store-file.js';
import { initOf, processOf, startOf } from './processes.js';

/**
 * - `created`: it never ran;
 * - `running`, `paused` (frozen), `restarting` (its monitor waits before the next try);
 * - `exited`: it ended, and its monitor wrote down how;
 * - `dead`: its monitor was killed, or the machine went down; `reason` says which.
 */
export type ContainerStatus = 'created' | 'running' | 'paused' | 'restarting' | 'exited' | 'dead';

/** What a container is doing, as of now. */
export interface ContainerState extends ProcessEnd {
  readonly id: string;
  readonly name: string | undefined;
  readonly status: ContainerStatus;
  readonly config: ContainerConfig;
  /** The host's pid of its init, and of the monitor; undefined when there is none. */
  readonly pid: number | undefined;
  readonly monitor: number | undefined;
  readonly startedAt: Date | undefined;
  readonly finishedAt: Date | undefined;
  readonly oomKilled: boolean;
  /** How often its monitor started it again. */
  readonly restarts: number;
  readonly reason: 'monitor-killed' | 'reboot' | undefined;
}

/** Returns how a container ended the last time; undefined if it never ran, is running, or nobody saw the end. */
export function endOf({ exitCode, signal }: ContainerState): ProcessEnd | undefined {
  return exitCode === undefined && signal === undefined ? undefined : { exitCode, signal };
}

const UNKNOWN_END: ProcessEnd = { exitCode: undefined, signal: undefined };

/** What a monitor wrote down when it started its process. */
interface Started {
  readonly pid: number;
  readonly restarts: number;
  readonly started: number;
  readonly startedNs: number;
  readonly boot: string;
}

interface Exited extends Omit<Started, 'pid'> {
  readonly status: number;
  readonly signal: number;
  readonly finished: number;
  readonly finishedNs: number;
}

/**
 * What a container is doing: it lives exactly while its lock is held, and its monitor's child shows
 * what its process is; records are for what is over.
 *
 * @returns undefined when there is no such container
 */
export async function stateOf(record: ContainerRecord, name: string | undefined, held?: HeldLocks): Promise<ContainerState | undefined> {
  const directory = directoryOf(record);
  // The lock before the records: who lets it go has written them.
  const monitor = monitorOf(record, held ?? (await heldLocks()));
  const read = await readConfig(directory);
  if (!read) return undefined;
  const config = name === undefined ? read : withName(read, name);
  const [started, exited, oom] = await Promise.all([
    readRecord<Started>(path.join(directory, 'state')),
    readRecord<Exited>(path.join(directory, 'exit')),
    readOwn(path.join(directory, 'oom')),
  ]);
  const base = {
    id: record.id,
    name,
    config,
    monitor,
    finishedAt: exited && moment(exited.finished, exited.finishedNs),
    ...(exited ? processEndOf(exited) : UNKNOWN_END),
    oomKilled: monitor === undefined && wasOomKilled(oom ?? ''),
    restarts: started?.restarts ?? 0,
    reason: undefined,
  };
  if (monitor === undefined) return { ...base, ...over(started, exited), pid: undefined };
  const pid = await initOf(monitor);
  const process = pid === undefined ? undefined : await processOf(pid);
  if (!process || process.state === 'Z')
    // Between two lives of it, before the first, or after the last, which its monitor is about to follow.
    return {
      ...base,
      status: !exited || !started ? 'created' : (config.spec.restart?.policy ?? 'no') === 'no' ? 'exited' : 'restarting',
      pid: undefined,
      startedAt: started && moment(started.started, started.startedNs),
    };
  const root = path.dirname(record.containers);
  const frozen = await isFrozen({ pid: process.pid, name: cgroupName(record.id, root) });
  return {
    ...base,
    status: frozen ? 'paused' : 'running',
    pid: process.pid,
    startedAt: started?.pid === process.pid ? moment(started.started, started.startedNs) : await startOf(process),
    finishedAt: undefined,
    ...UNKNOWN_END,
  };
}

function over(started: Started | undefined, exited: Exited | undefined): Pick<ContainerState, 'status' | 'startedAt' | 'reason'> & Partial<ContainerState> {
  if (!started) return { status: 'created', startedAt: undefined, reason: undefined };
  const startedAt = moment(started.started, started.startedNs);
  if (exited && exited.started === started.started && exited.startedNs === started.startedNs) return { status: 'exited', startedAt, reason: undefined };
  // How it ended nobody saw: what an earlier life left says nothing of this one.
  const reason = started.boot === bootId() ? 'monitor-killed' : 'reboot';
  return { status: 'dead', startedAt, reason, finishedAt: undefined, ...UNKNOWN_END };
}

function moment(seconds: number, nanoseconds: number): Date {
  return new Date(seconds * 1000 + nanoseconds / 1e6);
}

/** A record that a power cut tore says nothing. */
async function readRecord<Record>(file: string): Promise<Record | undefined> {
  const text = readOwn(file);
  try {
    return text ? (JSON.parse(text) as Record) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Whether a container has a process, or will have one without being started: only such a container can be stopped. */
export function isAlive(status: ContainerStatus): boolean {
  return status === 'running' || status === 'paused' || status === 'restarting';
}

/** Whether a container has a process now. */
export function isStarted(status: ContainerStatus): boolean {
  return status === 'running' || status === 'paused';
}
