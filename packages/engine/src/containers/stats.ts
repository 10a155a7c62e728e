import { readFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { cgroupVersion } from '@lamella/cgroup';
import { absent } from './absent.js';
import { PAGE, processesOf, TICKS } from './processes.js';

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

const CGROUP = '/sys/fs/cgroup';

/**
 * Measure a container: by its cgroup where it has one that counts, else by its processes, whose dead
 * children are not counted then.
 *
 * @param pid the host's pid of its init
 */
export async function usageOf(pid: number): Promise<ContainerUsage> {
  const group = await ownGroup(pid);
  const processes = await processesOf(pid);
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
    cpu: cpu ?? processes.reduce((sum, { ticks }) => sum + ticks, 0) * (1e6 / TICKS),
    memory: memory ?? processes.reduce((sum, { resident }) => sum + resident, 0) * PAGE,
    memoryLimit: Math.min(limit ?? Number.POSITIVE_INFINITY, os.totalmem()),
    processes: processes.length,
    network: await traffic(pid),
    block: io === undefined ? undefined : { read: sum(io, /rbytes=(\d+)/g), written: sum(io, /wbytes=(\d+)/g) },
  };
}

/** The cgroup of version 2 that was made for it. */
async function ownGroup(pid: number): Promise<string | undefined> {
  if (cgroupVersion(CGROUP) !== 2) return undefined;
  const own = /^0::(.*)$/m.exec((await read(`/proc/${pid}/cgroup`)) ?? '')?.[1];
  return own !== undefined && path.basename(own).startsWith('lamella-') ? path.join(CGROUP, own) : undefined;
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
  return readFile(file, 'utf8').catch(absent);
}
