import { accessSync, constants, existsSync, readFileSync, statfsSync } from 'node:fs';
import path from 'node:path';
import { AT_FDCWD, O, type Op, type Program, type SlotAllocator } from '@lamella/syscall';
import { CgroupError } from './cgroup-error.js';
import type { CgroupOptions } from './cgroup-options.js';
import { checkResources } from './check-resources.js';
import { CGROUP_OPTIONS, RESOURCES, read } from './option-shapes.js';
import { type Controller, type Resources, type Setting, settingsV1, settingsV2 } from './resources.js';

/** A cgroup to create, as ops for a program that starts a container. */
export interface CgroupPlan {
  readonly version: 1 | 2;
  /** The directories that `create` makes. Record them as claims first. Each one can be removed when it is empty. */
  readonly directories: readonly string[];
  /** Creates the cgroup and sets its limits. The process that stays outside runs these ops. */
  readonly create: Program;
  /** Version 2: the slot of the cgroup's directory, for `clone` with `CLONE_INTO_CGROUP`. */
  readonly slot?: number;
  /** Version 1: ops with which the container's process joins the cgroup. */
  readonly join: Program;
  /**
   * Reads the memory events after all processes have ended; see {@link wasOomKilled}. With `copy`, the
   * program also writes them to that path.
   */
  readonly events: (copy?: string) => Program;
}

/** The prefix of the names of Lamella's cgroups. */
export const PREFIX = 'lamella-';
const COUNTING: readonly Controller[] = ['memory', 'cpu', 'pids', 'io'];
const CGROUP2_SUPER_MAGIC = 0x63677270;
/** The names of the controllers in version 1. */
const V1_NAMES: Readonly<Record<Controller, string>> = { memory: 'memory', cpu: 'cpu', cpuset: 'cpuset', pids: 'pids', io: 'blkio' };

/** Returns the version of the cgroups mounted at `mount`, or undefined if none are mounted. */
export function cgroupVersion(mount: string = '/sys/fs/cgroup'): 1 | 2 | undefined {
  try {
    if (statfsSync(mount).type === CGROUP2_SUPER_MAGIC) return 2;
    return Object.values(V1_NAMES).some((name) => existsSync(path.join(mount, name, 'cgroup.procs'))) ? 1 : undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Returns the plan of a cgroup with these limits. For root it is `lamella-NAME` below the root of the
 * hierarchy. For ordinary users it is below the cgroup that systemd delegated to this process.
 *
 * @throws CgroupError `LIMIT_INVALID`, `CGROUP_MISSING`, `CONTROLLER_MISSING`, `CGROUP_NOT_DELEGATED`
 */
export function planCgroup(asked: Resources, options: CgroupOptions, slots: SlotAllocator): CgroupPlan {
  const resources = read('planCgroup(resources)', asked, RESOURCES);
  const { name, mount = '/sys/fs/cgroup', observe = false } = read('planCgroup(resources, options)', options, CGROUP_OPTIONS);
  checkResources(resources);
  const version = cgroupVersion(mount);
  if (version === undefined)
    throw new CgroupError({
      code: 'CGROUP_MISSING',
      message: `no cgroups are mounted at ${mount}`,
      hint: `Run without limits, or mount cgroups: mount -t cgroup2 none ${mount}`,
    });
  return version === 2 ? planV2(settingsV2(resources), name, mount, slots, observe) : planV1(settingsV1(resources), name, mount);
}

function planV2(settings: readonly Setting[], name: string, mount: string, slots: SlotAllocator, observe: boolean): CgroupPlan {
  const wanted = [...new Set(settings.map(({ controller }) => controller))];
  const { root, aside } = process.geteuid?.() === 0 ? { root: mount, aside: [] } : findDelegated(mount, wanted);
  const there = words(path.join(root, 'cgroup.controllers'));
  for (const controller of wanted)
    if (!there.includes(controller))
      throw new CgroupError({
        code: 'CONTROLLER_MISSING',
        message: `the cgroup controller '${controller}' is not available at ${root}`,
        hint:
          root === mount
            ? 'The kernel was booted with it disabled. Check cgroup_disable= in /proc/cmdline.'
            : `Let systemd delegate it: Delegate=${controller} for user@.service.`,
      });
  const counted = observe ? COUNTING.filter((each) => there.includes(each)) : [];
  const own = path.join(root, `${PREFIX}${name}`);
  const slot = slots();
  return {
    version: 2,
    directories: [own],
    create: [
      ...aside,
      ...enable(root, [...new Set([...wanted, ...counted])]),
      { op: 'mkdirat', dirfd: AT_FDCWD, pathname: own, mode: 0o755 },
      ...settings.map((setting) => set(own, setting)),
      { op: 'openat', dirfd: AT_FDCWD, pathname: own, flags: O.PATH | O.DIRECTORY | O.CLOEXEC, mode: 0, out: slot },
    ],
    slot,
    join: [],
    events: (copy) => (wanted.includes('memory') || counted.includes('memory') ? eventsOf(path.join(own, 'memory.events'), copy) : []),
  };
}

function eventsOf(pathname: string, copy: string | undefined): Program {
  return [
    { op: 'read_file', dirfd: AT_FDCWD, pathname, ignore: ['ENOENT'] },
    ...(copy === undefined ? [] : [{ op: 'copy_file', dirfd: AT_FDCWD, pathname, newpath: copy, ignore: ['ENOENT'] } as const]),
  ];
}

/** Enables the missing ones of these controllers for the children of a cgroup. */
function enable(directory: string, wanted: readonly Controller[]): Op[] {
  const file = path.join(directory, 'cgroup.subtree_control');
  const there = existsSync(file) ? words(file) : [];
  const missing = wanted.filter((each) => !there.includes(each));
  return missing.length ? [writeFile(file, missing.map((each) => `+${each}`).join(' '))] : [];
}

function writeFile(pathname: string, data: string): Op {
  return { op: 'write_file', dirfd: AT_FDCWD, pathname, flags: O.WRONLY | O.CLOEXEC, mode: 0, data };
}

function set(directory: string, { file, value, optional }: Setting): Op {
  return { ...writeFile(path.join(directory, file), value), ...(optional ? { ignore: ['ENOENT', 'EOPNOTSUPP', 'EACCES'] } : {}) };
}

/**
 * Returns the cgroup below which this user may create cgroups with these controllers. That is the nearest
 * ancestor that enables them for its children, as systemd does for a user's services.
 *
 * If no ancestor does, it is this process's own cgroup, provided that no other process is in it. This
 * process and the interpreter then move to a child, because a cgroup that enables controllers for its
 * children cannot contain processes.
 *
 * @returns the cgroup's directory, and the ops that move the two processes
 * @see cgroup-v2.rst, "No Internal Process Constraint"
 */
function findDelegated(mount: string, wanted: readonly Controller[]): { readonly root: string; readonly aside: Program } {
  const own = /^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1] ?? '/';
  for (let at = path.posix.dirname(own); at !== '/'; at = path.posix.dirname(at)) {
    const directory = path.join(mount, at);
    if (!mayDivide(directory)) break;
    const given = words(path.join(directory, 'cgroup.subtree_control'));
    if (wanted.every((each) => given.includes(each))) return { root: directory, aside: [] };
  }
  const directory = path.join(mount, own);
  const alone = existsSync(directory) && words(path.join(directory, 'cgroup.procs')).every((pid) => pid === String(process.pid));
  if (own === '/' || !alone || !mayDivide(directory))
    throw new CgroupError({
      code: 'CGROUP_NOT_DELEGATED',
      message: `cannot set limits: the cgroup ${own} of this process is not delegated to this user`,
      hint: 'Run in a delegated cgroup: systemd-run --user --scope -p Delegate=yes lamella run …',
    });
  const outside = path.join(directory, `${PREFIX}outside`);
  const enter = (pid: number): Op => writeFile(path.join(outside, 'cgroup.procs'), String(pid));
  return {
    root: directory,
    // 0 is the process that writes it.
    aside: [{ op: 'mkdirat', dirfd: AT_FDCWD, pathname: outside, mode: 0o755, ignore: ['EEXIST'] }, enter(process.pid), enter(0)],
  };
}

function mayDivide(directory: string): boolean {
  try {
    for (const name of ['', 'cgroup.procs', 'cgroup.subtree_control']) accessSync(path.join(directory, name), constants.W_OK);
    return true;
  } catch (error) {
    if (['EACCES', 'ENOENT', 'EROFS'].includes((error as NodeJS.ErrnoException).code ?? '')) return false;
    throw error;
  }
}

function planV1(settings: readonly Setting[], name: string, mount: string): CgroupPlan {
  if (process.geteuid?.() !== 0)
    throw new CgroupError({
      code: 'CGROUP_NOT_DELEGATED',
      message: 'ordinary users cannot set limits with cgroups of version 1',
      hint: 'Run as root, or boot the kernel with systemd.unified_cgroup_hierarchy=1.',
    });
  const wanted = [...new Set(settings.map(({ controller }) => controller))];
  const base = (controller: Controller): string => path.join(mount, V1_NAMES[controller]);
  const own = (controller: Controller): string => path.join(base(controller), `${PREFIX}${name}`);
  for (const controller of wanted)
    if (!existsSync(path.join(base(controller), 'cgroup.procs')))
      throw new CgroupError({
        code: 'CONTROLLER_MISSING',
        message: `the cgroup controller '${V1_NAMES[controller]}' is not mounted`,
        hint: `Mount it: mount -t cgroup -o ${V1_NAMES[controller]} none ${base(controller)}`,
      });
  // A new cpuset is empty, and an empty cpuset cannot contain a process.
  const inherit = (): Op[] =>
    ['cpuset.mems', 'cpuset.cpus'].map((file) => writeFile(path.join(own('cpuset'), file), readFileSync(path.join(base('cpuset'), file), 'utf8').trim()));
  return {
    version: 1,
    directories: wanted.map(own),
    create: [
      ...wanted.flatMap((controller): Op[] => [
        { op: 'mkdirat', dirfd: AT_FDCWD, pathname: own(controller), mode: 0o755 },
        ...(controller === 'cpuset' ? inherit() : []),
      ]),
      ...settings.map((setting) => set(own(setting.controller), setting)),
    ],
    join: wanted.map((controller) => writeFile(path.join(own(controller), 'cgroup.procs'), '0')),
    events: (copy) => (wanted.includes('memory') ? eventsOf(path.join(own('memory'), 'memory.oom_control'), copy) : []),
  };
}

/** Returns whether the output of {@link CgroupPlan.events} counts a process that the OOM killer ended. */
export function wasOomKilled(events: string): boolean {
  return Number(/^oom_kill (\d+)$/m.exec(events)?.[1] ?? 0) > 0;
}

/**
 * Returns whether a limit on processes takes almost no time on this machine. With version 2 and the
 * `pids` controller enabled, a container starts inside its cgroup.
 */
export function canLimitByDefault(mount: string = '/sys/fs/cgroup'): boolean {
  if (process.geteuid?.() !== 0 || cgroupVersion(mount) !== 2) return false;
  try {
    accessSync(mount, constants.W_OK);
    return (
      words(path.join(mount, 'cgroup.subtree_control')).includes('pids') ||
      (!existsSync(path.join(mount, 'cgroup.type')) && words(path.join(mount, 'cgroup.controllers')).includes('pids'))
    );
  } catch (error) {
    if (['ENOENT', 'EROFS', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')) return false;
    throw error;
  }
}

function words(file: string): string[] {
  return readFileSync(file, 'utf8').split(/\s+/).filter(Boolean);
}
