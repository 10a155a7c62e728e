import { readdir, readFile, readlink } from 'node:fs/promises';
import { absent } from './absent.js';

/** A process, as proc(5) shows it. */
export interface Process {
  readonly pid: number;
  readonly ppid: number;
  /** Its name, which it may have given itself. */
  readonly name: string;
  readonly state: string;
  /** Ticks of processor time. */
  readonly ticks: number;
  /** Ticks after the machine's start. */
  readonly started: number;
  /** Pages in memory. */
  readonly resident: number;
  readonly tty: number;
  readonly threads: number;
}

/** A tick of proc(5): every Linux has a hundred in a second for its users. */
export const TICKS = 100;
export const PAGE = 4096;

/** One process; undefined when it is gone. */
export async function processOf(pid: number): Promise<Process | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'latin1').catch(absent);
  if (text === undefined) return undefined;
  // The name is in parentheses, and may have some itself.
  const end = text.lastIndexOf(')');
  const fields = text.slice(end + 2).split(' ');
  const number = (i: number): number => Number(fields[i - 3]);
  return {
    pid,
    ppid: number(4),
    name: text.slice(text.indexOf('(') + 1, end),
    state: fields[0] ?? '?',
    tty: number(7),
    ticks: number(14) + number(15),
    threads: number(20),
    started: number(22),
    resident: number(24),
  };
}

/** The process that a monitor watches: its only child. */
export async function childOf(monitor: number): Promise<number | undefined> {
  const children = await readFile(`/proc/${monitor}/task/${monitor}/children`, 'utf8').catch(absent);
  if (children !== undefined) return children.trim() ? Number.parseInt(children, 10) : undefined;
  // Kernels without CONFIG_PROC_CHILDREN.
  return (await everyProcess()).find(({ ppid }) => ppid === monitor)?.pid;
}

/**
 * The processes of a container: those in the pid namespace of its init, and all that descend from
 * them, in namespaces below.
 */
export async function processesOf(init: number): Promise<readonly Process[]> {
  const namespace = await readlink(`/proc/${init}/ns/pid`).catch(absent);
  if (namespace === undefined) return [];
  const all = await everyProcess();
  const inside = new Set<number>();
  await Promise.all(
    all.map(async ({ pid }) => {
      if ((await readlink(`/proc/${pid}/ns/pid`).catch(absent)) === namespace) inside.add(pid);
    }),
  );
  for (let before = -1; before !== inside.size; ) {
    before = inside.size;
    for (const { pid, ppid } of all) if (inside.has(ppid)) inside.add(pid);
  }
  return all.filter(({ pid }) => inside.has(pid)).sort((a, b) => a.pid - b.pid);
}

async function everyProcess(): Promise<readonly Process[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  return (await Promise.all(pids.map(processOf))).filter((each) => each !== undefined);
}

let boot: number | undefined;

/** When a process started, by the machine's clock. */
export async function startOf({ started }: Process): Promise<Date> {
  boot ??= Number(/^btime (\d+)$/m.exec(await readFile('/proc/stat', 'utf8'))?.[1] ?? 0) * 1000;
  return new Date(boot + (started / TICKS) * 1000);
}
