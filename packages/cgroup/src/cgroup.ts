import { accessSync, constants, existsSync, readFileSync, statfsSync } from 'node:fs';
import path from 'node:path';
import { AT_FDCWD, O, type Op, type Program, type SlotAllocator } from '@lamella/syscall';
import { CgroupError } from './cgroup-error.js';
import type { CgroupOptions } from './cgroup-options.js';
import { checkResources } from './check-resources.js';
import { CGROUP_OPTIONS, RESOURCES, read } from './option-shapes.js';
import { type Controller, type Resources, type Setting, settingsV1, settingsV2 } from './resources.js';

/** A cgroup that is to be made, as ops for the packages that make containers. */
export interface CgroupPlan {
  readonly version: 1 | 2;
  /** The directories that are made for it, for a journal of claims; each is removed when it is empty. */
  readonly directories: readonly string[];
  /** Makes it and sets its limits; runs in the process that stays outside. */
  readonly create: Program;
  /** Version 2: the slot of its directory, which `clone` is born into. */
  readonly slot?: number;
  /** Version 1: ops of a process that goes in by itself. */
  readonly join: Program;
  /**
   * Reads, when the processes are gone, whether memory had run out; see {@link wasOomKilled}. With a
   * path that is also written there.
   */
  readonly events: (copy?: string) => Program;
}

/** What our cgroups' names begin with. */
export const PREFIX = 'lamella-';
const COUNTING: readonly Controller[] = ['memory', 'cpu', 'pids', 'io'];
const CGROUP2_SUPER_MAGIC = 0x63677270;
/** Version 1 names two of them otherwise. */
const V1_NAMES: Readonly<Record<Controller, string>> = { memory: 'memory', cpu: 'cpu', cpuset: 'cpuset', pids: 'pids', io: 'blkio' };

/** How this machine has its cgroups; undefined when none are mounted. */
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
 * Plan a cgroup with these limits, at `lamella-NAME` below the root of the hierarchy (or, for who is
 * not root, below the part of it that systemd delegated to this process).
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
      hint: 'Limits need them; run without, or mount cgroup2 there.',
    });
  return version === 2 ? planV2(settingsV2(resources), name, mount, slots, observe) : planV1(settingsV1(resources), name, mount);
}

function planV2(settings: readonly Setting[], name: string, mount: string, slots: SlotAllocator, observe: boolean): CgroupPlan {
  const wanted = [...new Set(settings.map(({ controller }) => controller))];
  const { root, aside } = process.geteuid?.() === 0 ? { root: mount, aside: [] } : delegated(mount, wanted);
  const there = words(path.join(root, 'cgroup.controllers'));
  for (const controller of wanted)
    if (!there.includes(controller))
      throw new CgroupError({
        code: 'CONTROLLER_MISSING',
        message: `the cgroup controller '${controller}' is not to be had at ${root}`,
        hint: root === mount ? 'The kernel has it switched off (cgroup_disable=).' : `Let systemd delegate it: Delegate=${controller} for user@.service.`,
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

/** Let the children of a cgroup have controllers, those that they do not have yet. */
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
 * The cgroup below which this user may make others that have these controllers: the nearest one above
 * this process that gives them to its children, as systemd has them for a user's services. Else this
 * process's own, if it is alone there: it moves aside with the interpreter that runs the program, for a
 * cgroup that gives controllers to its children holds no processes itself (cgroup-v2.rst, "No Internal
 * Process Constraint").
 *
 * @returns where, and the ops that move aside
 */
function delegated(mount: string, wanted: readonly Controller[]): { readonly root: string; readonly aside: Program } {
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
      message: `the cgroup of this process, ${own}, is not yours to divide, so no limit can be set`,
      hint: 'Let systemd delegate one: systemd-run --user --scope -p Delegate=yes lamella run …',
    });
  const outside = path.join(directory, `${PREFIX}outside`);
  const enter = (pid: number): Op => writeFile(path.join(outside, 'cgroup.procs'), String(pid));
  return {
    root: directory,
    // 0 is whoever writes it.
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
      message: 'an ordinary user can set no limits with cgroups of version 1',
      hint: 'Boot with systemd.unified_cgroup_hierarchy=1, or run as root.',
    });
  const wanted = [...new Set(settings.map(({ controller }) => controller))];
  const base = (controller: Controller): string => path.join(mount, V1_NAMES[controller]);
  const own = (controller: Controller): string => path.join(base(controller), `${PREFIX}${name}`);
  for (const controller of wanted)
    if (!existsSync(path.join(base(controller), 'cgroup.procs')))
      throw new CgroupError({
        code: 'CONTROLLER_MISSING',
        message: `the cgroup controller '${V1_NAMES[controller]}' is not mounted`,
        hint: `Mount it at ${base(controller)}.`,
      });
  // A cpuset begins with nothing in it, and holds no process then.
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

/** Whether what {@link CgroupPlan.events} read tells of a process that was killed for want of memory. */
export function wasOomKilled(events: string): boolean {
  return Number(/^oom_kill (\d+)$/m.exec(events)?.[1] ?? 0) > 0;
}

/**
 * Whether a limit on processes costs next to nothing here: version 2, with the controller given to
 * our children already, so that a container is born into its cgroup.
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
