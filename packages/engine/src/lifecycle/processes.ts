import { readdir, readFile, readlink } from 'node:fs/promises';

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
  readonly threads: number;
}

/** What more there is to be known of it. */
export interface ProcessDetails extends Process {
  /** Its user id on the host. */
  readonly uid: number;
  /** Its arguments; none of a process that has ended or is the kernel's. */
  readonly args: readonly string[];
  /** Bytes of memory it has. */
  readonly memory: number;
  /** Seconds of processor time. */
  readonly cpu: number;
}

/** A tick of proc(5): every Linux has a hundred in a second for its users. */
const TICKS = 100;

/** One process; undefined when it is gone. */
export async function processOf(pid: number): Promise<Process | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'latin1').catch(unseen);
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
    ticks: number(14) + number(15),
    threads: number(20),
    started: number(22),
  };
}

/** Looks at one more closely; undefined when it is gone. */
export async function detailsOf(process: Process): Promise<ProcessDetails | undefined> {
  const [status, command] = await Promise.all([
    readFile(`/proc/${process.pid}/status`, 'latin1').catch(unseen),
    readFile(`/proc/${process.pid}/cmdline`, 'utf8').catch(unseen),
  ]);
  if (status === undefined) return undefined;
  const number = (pattern: RegExp): number => Number(pattern.exec(status)?.[1] ?? 0);
  return {
    ...process,
    uid: number(/^Uid:\t\d+\t(\d+)/m),
    // In kilobytes, whatever a page is.
    memory: number(/^VmRSS:\s+(\d+) kB$/m) * 1024,
    cpu: process.ticks / TICKS,
    args: command ? command.replace(/\0$/, '').split('\0') : [],
  };
}

/**
 * The init that a monitor watches: its child in a pid namespace below its own. Others of its children serve it, on the host: nobody may be
 * led to one of these.
 */
export async function initOf(monitor: number): Promise<number | undefined> {
  const listed = await readFile(`/proc/${monitor}/task/${monitor}/children`, 'utf8').catch(unseen);
  const children =
    listed?.split(' ').filter(Boolean).map(Number) ??
    // Kernels without CONFIG_PROC_CHILDREN.
    (await everyProcess()).flatMap(({ pid, ppid }) => (ppid === monitor ? [pid] : []));
  for (const child of children) if (await isInitOfNamespace(child)) return child;
  return undefined;
}

/** Whether a process is the first of a pid namespace below the one of the caller (proc_pid_status(5), NSpid). */
async function isInitOfNamespace(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/status`, 'latin1').catch(unseen);
  const numbers = /^NSpid:\t(.*)$/m.exec(status ?? '')?.[1]?.split('\t') ?? [];
  return numbers.length > 1 && numbers.at(-1) === '1';
}

/**
 * The processes of a container: those in the pid namespace of its init, and all that descend from
 * them, in namespaces below.
 */
export async function processesOf(init: number): Promise<readonly Process[]> {
  const namespace = await readlink(`/proc/${init}/ns/pid`).catch(unseen);
  if (namespace === undefined) return [];
  const all = await everyProcess();
  const inside = new Set<number>();
  await Promise.all(
    all.map(async ({ pid }) => {
      if ((await readlink(`/proc/${pid}/ns/pid`).catch(unseen)) === namespace) inside.add(pid);
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

/** A process that has ended, or is another user's. */
function unseen(error: NodeJS.ErrnoException): undefined {
  if (['ENOENT', 'ESRCH', 'EACCES'].includes(error.code ?? '')) return undefined;
  throw error;
}
