import { existsSync } from 'node:fs';
import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cgroupVersion, PREFIX } from './cgroup.js';
import { CgroupError } from './cgroup-error.js';
import { cgroupsOf } from './cgroups-of.js';

/** A running container that can be frozen. */
export interface FreezeTarget {
  /** The process id of its init on the host. */
  readonly pid: number;
  /** The name of its cgroup, without the prefix. */
  readonly name: string;
  /** Returns the current process ids of all its processes on the host. */
  readonly processes: () => Promise<readonly number[]>;
  /** Where cgroups are mounted. Default `/sys/fs/cgroup`. */
  readonly mount?: string;
}

/**
 * Returns the directories that {@link setFrozen} may create for a running container. Record them as claims.
 * With version 1 a container joins the freezer only when it is frozen, because each move takes milliseconds.
 */
export function freezerDirectories(name: string, mount: string = '/sys/fs/cgroup'): readonly string[] {
  const base = path.join(mount, 'freezer');
  return process.geteuid?.() === 0 && cgroupVersion(mount) === 1 && existsSync(path.join(base, 'cgroup.procs')) ? [path.join(base, `${PREFIX}${name}`)] : [];
}

/**
 * Freezes or thaws all processes of a container. Resolves when the kernel reports the new state.
 *
 * @throws CgroupError `FREEZER_MISSING`, `FREEZER_TIMEOUT`
 * @see cgroup-v2.rst, `cgroup.freeze`; cgroup-v1/freezer-subsystem.rst
 */
export async function setFrozen(container: FreezeTarget, frozen: boolean): Promise<void> {
  const own = ownCgroup(container);
  if (own !== undefined) {
    await writeFile(path.join(own, 'cgroup.freeze'), frozen ? '1' : '0');
    return until(async () => /^frozen (\d)$/m.exec(await readFile(path.join(own, 'cgroup.events'), 'utf8'))?.[1] === (frozen ? '1' : '0'));
  }
  const [freezer] = freezerDirectories(container.name, container.mount);
  if (freezer === undefined)
    throw new CgroupError({
      code: 'FREEZER_MISSING',
      message: 'cannot freeze the container: it does not have a separate cgroup',
      hint: 'Ordinary users need a delegated cgroup of version 2 and a limit, such as --pids-limit 512. Root needs cgroup2, or the freezer of version 1.',
    });
  const state = path.join(freezer, 'freezer.state');
  if (frozen) {
    await mkdir(freezer, { recursive: true });
    await gather(container, freezer);
    // If the container has ended meanwhile, its cleanup may have run before this cgroup existed.
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
    // The container may have ended already, and its cgroup with it.
    if (!frozen && (error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  // Processes created after gather() are in the freezer already, because a child starts in its parent's cgroup.
  await until(async () => {
    const now = (await read(state))?.trim();
    return now === (frozen ? 'FROZEN' : 'THAWED') || (now === undefined && !frozen);
  });
}

/** Returns whether the processes of a container are frozen. */
export async function isFrozen(container: Pick<FreezeTarget, 'pid' | 'name' | 'mount'>): Promise<boolean> {
  const own = ownCgroup(container);
  if (own !== undefined) return /^frozen 1$/m.test((await read(path.join(own, 'cgroup.events'))) ?? '');
  const [freezer] = freezerDirectories(container.name, container.mount);
  return freezer !== undefined && /^(?:FROZEN|FREEZING)/.test((await read(path.join(freezer, 'freezer.state'))) ?? '');
}

/** Returns the directory of the container's cgroup of version 2, if it has one. */
function ownCgroup({ pid, mount }: Pick<FreezeTarget, 'pid' | 'mount'>): string | undefined {
  const { version, directories } = cgroupsOf(pid, mount);
  return version === 2 ? directories[0] : undefined;
}

/** Moves every process into the freezer, and repeats that until no process is left outside. */
async function gather({ processes }: FreezeTarget, freezer: string): Promise<void> {
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
        message: 'the kernel did not freeze all processes of the container within 10 seconds',
        hint: 'A process is in a system call that cannot be interrupted. Try again.',
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
