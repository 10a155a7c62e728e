import { existsSync } from 'node:fs';
import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cgroupVersion, PREFIX } from './cgroup.js';
import { CgroupError } from './cgroup-error.js';
import { cgroupsOf } from './cgroups-of.js';

/** A running container, as far as freezing needs to know it. */
export interface Frozen {
  /** The host's pid of its init. */
  readonly pid: number;
  /** What its cgroup is called. */
  readonly name: string;
  /** The host's pids of all its processes, as of now. */
  readonly processes: () => Promise<readonly number[]>;
  /** Default `/sys/fs/cgroup`. */
  readonly mount?: string;
}

/**
 * Cgroups that {@link freeze} may make for a container while it runs, for its journal: with version 1
 * only what is to be frozen is brought into the freezer, for each move takes the kernel milliseconds.
 */
export function freezersOf(name: string, mount: string = '/sys/fs/cgroup'): readonly string[] {
  const base = path.join(mount, 'freezer');
  return process.geteuid?.() === 0 && cgroupVersion(mount) === 1 && existsSync(path.join(base, 'cgroup.procs')) ? [path.join(base, `${PREFIX}${name}`)] : [];
}

/**
 * Stop all processes of a container, or let them go on (cgroup-v2.rst, `cgroup.freeze`;
 * cgroup-v1/freezer-subsystem.rst). Resolves when they have.
 *
 * @throws CgroupError `FREEZER_MISSING`, `FREEZER_TIMEOUT`
 */
export async function freeze(container: Frozen, frozen: boolean): Promise<void> {
  const own = ownCgroup(container);
  if (own !== undefined) {
    await writeFile(path.join(own, 'cgroup.freeze'), frozen ? '1' : '0');
    return until(async () => /^frozen (\d)$/m.exec(await readFile(path.join(own, 'cgroup.events'), 'utf8'))?.[1] === (frozen ? '1' : '0'));
  }
  const [freezer] = freezersOf(container.name, container.mount);
  if (freezer === undefined)
    throw new CgroupError({
      code: 'FREEZER_MISSING',
      message: 'the container has no cgroup of its own that could be frozen',
      hint: 'Ordinary users need a delegated cgroup of version 2 and a limit (such as --pids-limit); root needs cgroup2 or the freezer of version 1.',
    });
  const state = path.join(freezer, 'freezer.state');
  if (frozen) {
    await mkdir(freezer, { recursive: true });
    await gather(container, freezer);
    // It has ended meanwhile, and what releases it looked for this cgroup before it was there.
    if (!(await container.processes()).length) {
      await rmdir(freezer).catch((error: NodeJS.ErrnoException) => {
        if (!['ENOENT', 'EBUSY'].includes(error.code ?? '')) throw error;
      });
      return;
    }
  } else if (!existsSync(state)) return;
  try {
    await writeFile(state, frozen ? 'FROZEN' : 'THAWED');
  } catch (error) {
    // What is let go on may be at its end already, and its cgroup with it.
    if (!frozen && (error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  // What was born while the others were brought in is in already: children are where their parents are.
  await until(async () => {
    const now = (await read(state))?.trim();
    return now === (frozen ? 'FROZEN' : 'THAWED') || (now === undefined && !frozen);
  });
}

/** Whether the processes of a container are frozen. */
export async function isFrozen(container: Pick<Frozen, 'pid' | 'name' | 'mount'>): Promise<boolean> {
  const own = ownCgroup(container);
  if (own !== undefined) return /^frozen 1$/m.test((await read(path.join(own, 'cgroup.events'))) ?? '');
  const [freezer] = freezersOf(container.name, container.mount);
  return freezer !== undefined && /^(?:FROZEN|FREEZING)/.test((await read(path.join(freezer, 'freezer.state'))) ?? '');
}

/** The cgroup of version 2 that was made for it. */
function ownCgroup({ pid, mount }: Pick<Frozen, 'pid' | 'mount'>): string | undefined {
  const { version, directories } = cgroupsOf(pid, mount);
  return version === 2 ? directories[0] : undefined;
}

/** Bring every process in, and those they made meanwhile, until there is none outside. */
async function gather({ processes }: Frozen, freezer: string): Promise<void> {
  const file = path.join(freezer, 'cgroup.procs');
  for (let round = 0; round < 100; round++) {
    const inside = new Set((await readFile(file, 'utf8')).split('\n').map(Number));
    const outside = (await processes()).filter((pid) => !inside.has(pid));
    if (!outside.length) return;
    for (const pid of outside)
      await writeFile(file, String(pid)).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ESRCH') throw error;
      });
  }
}

async function until(reached: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + 10_000;
  while (!(await reached())) {
    if (Date.now() > end)
      throw new CgroupError({
        code: 'FREEZER_TIMEOUT',
        message: 'the processes of the container were not all stopped within ten seconds',
        hint: 'One is in a system call that cannot be interrupted; try again.',
      });
    await sleep(5);
  }
}

async function read(file: string): Promise<string | undefined> {
  return readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (['ENOENT', 'ESRCH', 'ENODEV'].includes(error.code ?? '')) return undefined;
    throw error;
  });
}
