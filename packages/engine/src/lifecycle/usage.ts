import { readFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { cgroupsOf } from '@lamella/cgroup';
import { notRunning } from './container-errors.js';
import type { ContainerHandle } from './container-handle.js';
import { detailsOf, type ProcessDetails, processesOf } from './processes.js';
import { isStarted } from './state.js';

/** What a container has used up, as of now. */
export interface ContainerUsage {
  readonly time: Date;
  /** Microseconds of processor time. */
  readonly cpu: number;
  /** Bytes of memory, and how many it may have at most. */
  readonly memory: number;
  readonly memoryLimit: number;
  readonly processes: number;
  /** Bytes received and sent, of all devices but loopback. */
  readonly network: { readonly received: number; readonly sent: number };
  /** Bytes read from and written to devices; undefined where nobody counts them. */
  readonly block: { readonly read: number; readonly written: number } | undefined;
}

/**
 * Measure a container: by its cgroup where it has one that counts, else by its processes, whose dead
 * children are not counted then.
 *
 * @param pid the host's pid of its init
 */
async function usageOf(pid: number): Promise<ContainerUsage> {
  const { version, directories } = cgroupsOf(pid);
  const group = version === 2 ? directories[0] : undefined;
  const processes = await processesOf(pid);
  const details = group === undefined ? (await Promise.all(processes.map(detailsOf))).filter((each) => each !== undefined) : [];
  const [cpu, memory, limit, io] = group
    ? await Promise.all([
        number(group, 'cpu.stat', /^usage_usec (\d+)$/m),
        number(group, 'memory.current', /^(\d+)$/m),
        number(group, 'memory.max', /^(\d+)$/m),
        read(path.join(group, 'io.stat')),
      ])
    : [];
  return {
    time: new Date(),
    cpu: cpu ?? details.reduce((total, each) => total + each.cpu * 1e6, 0),
    memory: memory ?? details.reduce((total, each) => total + each.memory, 0),
    memoryLimit: Math.min(limit ?? Number.POSITIVE_INFINITY, os.totalmem()),
    processes: processes.length,
    network: await traffic(pid),
    block: io === undefined ? undefined : { read: sum(io, /rbytes=(\d+)/g), written: sum(io, /wbytes=(\d+)/g) },
  };
}

/** Returns what a running container uses. @throws EngineError `CONTAINER_NOT_RUNNING` */
export async function usageOfContainer(container: ContainerHandle): Promise<ContainerUsage> {
  const { pid } = await container.state();
  if (pid === undefined) throw notRunning(container);
  return usageOf(pid);
}

/** Lists the processes of a running container. @throws EngineError `CONTAINER_NOT_RUNNING` */
export async function listProcesses(container: ContainerHandle): Promise<readonly ProcessDetails[]> {
  const { status, pid } = await container.state();
  if (!isStarted(status)) throw notRunning(container);
  const processes = pid === undefined ? [] : await processesOf(pid);
  return (await Promise.all(processes.map(detailsOf))).filter((each) => each !== undefined);
}

async function number(group: string, file: string, pattern: RegExp): Promise<number | undefined> {
  const found = pattern.exec((await read(path.join(group, file))) ?? '')?.[1];
  return found === undefined ? undefined : Number(found);
}

async function traffic(pid: number): Promise<ContainerUsage['network']> {
  const lines = ((await read(`/proc/${pid}/net/dev`)) ?? '').split('\n').slice(2);
  const devices = lines.map((line) => line.trim().split(/[\s:]+/)).filter(([name]) => name && name !== 'lo');
  const column = (i: number): number => devices.reduce((total, fields) => total + Number(fields[i] ?? 0), 0);
  return { received: column(1), sent: column(9) };
}

function sum(text: string, pattern: RegExp): number {
  return [...text.matchAll(pattern)].reduce((total, [, value]) => total + Number(value), 0);
}

async function read(file: string): Promise<string | undefined> {
  return readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    // Not every controller is there; and it may have ended.
    if (['ENOENT', 'ESRCH', 'ENODEV'].includes(error.code ?? '')) return undefined;
    throw error;
  });
}
