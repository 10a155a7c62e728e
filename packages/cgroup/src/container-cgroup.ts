import { existsSync, mkdirSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { getSystemErrorMessage } from 'node:util';
import { CgroupError } from './cgroup-error.js';
import { type DeviceRule, deviceWrites } from './device-program.js';
import { type Hierarchy, hierarchies } from './hierarchies.js';
import { type CgroupWrite, type LinuxResources, writesV1, writesV2 } from './linux-resources.js';
import { readKernelFile } from './read-kernel-file.js';

/** A container's directory in one hierarchy. */
export interface CgroupPlace extends Hierarchy {
  /** Absolute path. */
  readonly directory: string;
  /** Whether it was there before: then it is not ours to remove. */
  readonly found?: boolean;
}

/** Where the cgroups of a container are, or will be: one place with version 2, one for each hierarchy with version 1. */
export type ContainerCgroup = readonly CgroupPlace[];

const errno = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? '';

/**
 * Where a container belongs (OCI runtime-spec, config-linux.md, "Cgroups Path"): an absolute path counts from the
 * mount, a relative one from the cgroup of this process (of version 2 from the one above it, for a cgroup with
 * processes gives no controllers to those below it). Nothing is made yet.
 *
 * @param cgroupsPath `..` does not lead out of the hierarchy
 * @param name what it is called when there is no path
 */
export function placeCgroup(cgroupsPath: string | undefined, name: string, mount?: string): ContainerCgroup {
  return hierarchies(mount).map((each): CgroupPlace => {
    const base = each.version === 2 ? path.posix.dirname(each.own) : each.own;
    const inside = cgroupsPath?.startsWith('/') ? path.posix.join('/', cgroupsPath) : path.posix.join('/', base, path.posix.join('/', cgroupsPath || name));
    const directory = path.join(each.mount, inside);
    return { ...each, directory, ...(existsSync(directory) ? { found: true } : {}) };
  });
}

/** Make the directories. @throws CgroupError `CGROUP_FAILED` */
export function makeCgroup(cgroup: ContainerCgroup): void {
  for (const place of cgroup) {
    const below = path.relative(place.mount, place.directory).split('/').filter(Boolean);
    let at = place.mount;
    for (const name of below) {
      if (place.version === 2) giveControllers(at);
      at = path.join(at, name);
      attempt(`cannot make the cgroup ${at}`, () => mkdirSync(at, { recursive: true, mode: 0o755 }));
      if (place.controllers.includes('cpuset')) inheritCpuset(at);
    }
  }
}

/** Whoever is not allowed to, or has processes of its own there, leaves the children with what they have. */
function giveControllers(directory: string): void {
  const wanted = readKernelFile(path.join(directory, 'cgroup.controllers')).split(/\s+/).filter(Boolean);
  const given = readKernelFile(path.join(directory, 'cgroup.subtree_control')).split(/\s+/);
  for (const controller of wanted.filter((each) => !given.includes(each)))
    try {
      writeFileSync(path.join(directory, 'cgroup.subtree_control'), `+${controller}`);
    } catch (error) {
      if (!['EACCES', 'EPERM', 'EROFS', 'EBUSY', 'EINVAL', 'EOPNOTSUPP', 'ENOENT', 'ENOTSUP'].includes(errno(error))) throw error;
    }
}

/** A cpuset of version 1 begins empty, and holds no process then. */
function inheritCpuset(directory: string): void {
  for (const file of ['cpuset.cpus', 'cpuset.mems']) {
    if (readKernelFile(path.join(directory, file)).trim()) continue;
    const above = readKernelFile(path.join(path.dirname(directory), file)).trim();
    if (above) attempt(`cannot set ${file} of ${directory}`, () => writeFileSync(path.join(directory, file), above));
  }
}

/** Put a process in. @throws CgroupError `CGROUP_FAILED` */
export function joinCgroup(cgroup: ContainerCgroup, pid: number): void {
  for (const { directory } of cgroup)
    attempt(`adding pid ${pid} to ${path.join(directory, 'cgroup.procs')}`, () => writeFileSync(path.join(directory, 'cgroup.procs'), String(pid)));
}

/** Set limits. @throws CgroupError `LIMIT_INVALID`, `LIMIT_FAILED`, `CONTROLLER_MISSING` */
export function limitCgroup(cgroup: ContainerCgroup, resources: LinuxResources): void {
  const [first] = cgroup;
  if (!first) {
    const writes = writesV2(resources);
    if (writes.length)
      throw new CgroupError({
        code: 'CGROUP_MISSING',
        message: 'no cgroups are mounted at /sys/fs/cgroup',
        hint: `Limits need them: ${writes.map(({ file }) => file).join(', ')}`,
      });
    return;
  }
  const writes = first.version === 2 ? writesV2(resources) : growFirst(cgroup, writesV1(resources));
  // A period that does not go with the quota of before may go with the one that comes after it.
  const again: CgroupWrite[] = [];
  for (const write of writes)
    try {
      put(cgroup, write);
    } catch (error) {
      const periodFirst =
        write.file === 'cpu.cfs_period_us' && errno((error as Error).cause) === 'EINVAL' && writes.some(({ file }) => file === 'cpu.cfs_quota_us');
      if (!periodFirst) throw error;
      again.push(write);
    }
  for (const write of again) put(cgroup, write);
}

/**
 * The sum of memory and swap is never less than the memory alone, also while both change (cgroup-v1/memory.rst): what
 * grows is set in the other order. Without a limit on memory there is none on both.
 */
function growFirst(cgroup: ContainerCgroup, writes: CgroupWrite[]): CgroupWrite[] {
  const place = cgroup.find(({ controllers }) => controllers.includes('memory'));
  const memory = writes.find(({ file }) => file === 'memory.limit_in_bytes');
  if (!memory || !place) return writes;
  const file = path.join(place.directory, 'memory.memsw.limit_in_bytes');
  const unlimited: CgroupWrite = { controller: 'memory', file: 'memory.memsw.limit_in_bytes', value: '-1', optional: true };
  const both = writes.find((write) => write.file === unlimited.file) ?? (Number(memory.value) < 0 ? unlimited : undefined);
  if (!both) return writes;
  const now = Number(readKernelFile(file) || Number.POSITIVE_INFINITY);
  const others = writes.filter((write) => write !== both && write !== memory);
  return Number(both.value) < 0 || Number(both.value) > now ? [both, memory, ...others] : [memory, both, ...others];
}

function put(cgroup: ContainerCgroup, { controller, file, value, optional }: CgroupWrite): void {
  const place = cgroup.find(({ version, controllers }) => version === 2 || controllers.includes(controller));
  if (!place) {
    if (optional) return;
    throw new CgroupError({
      code: 'CONTROLLER_MISSING',
      message: `the cgroup controller '${controller}' is not mounted, and ${file} needs it`,
      hint: 'Run without that limit, or mount it below /sys/fs/cgroup.',
    });
  }
  const target = path.join(place.directory, file);
  if (!existsSync(target) && optional) return;
  try {
    writeFileSync(target, value);
  } catch (cause) {
    if (optional && ['ENOENT', 'EOPNOTSUPP', 'EACCES', 'EINVAL', 'ENODEV'].includes(errno(cause))) return;
    const missing = errno(cause) === 'ENOENT' || errno(cause) === 'EACCES';
    throw new CgroupError({
      code: 'LIMIT_FAILED',
      message: `cannot write '${value}' into ${target}: ${(cause as Error).message}`,
      hint: missing
        ? `The controller '${controller}' is not given to this cgroup by the ones above it.`
        : 'The kernel refuses this value; see its doc on cgroups.',
      cause,
    });
  }
}

/** Rules on devices for version 1. @throws CgroupError `LIMIT_FAILED` */
export function limitDevicesV1(cgroup: ContainerCgroup, rules: readonly DeviceRule[]): void {
  const place = cgroup.find(({ controllers }) => controllers.includes('devices'));
  if (!place) return;
  for (const { file, value } of deviceWrites(rules)) put(cgroup, { controller: 'devices', file, value });
}

/** Every process in it and below it. None when it is gone. */
export function processesOf(cgroup: ContainerCgroup): number[] {
  const place = cgroup.find(({ version, controllers }) => version === 2 || controllers.includes('devices')) ?? cgroup[0];
  if (!place) return [];
  return below(place.directory).flatMap((directory) => readKernelFile(path.join(directory, 'cgroup.procs')).split('\n').filter(Boolean).map(Number));
}

/** A cgroup and those below it, the deepest first. */
function below(directory: string): string[] {
  let names: string[];
  try {
    names = readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name);
  } catch (error) {
    if (['ENOENT', 'ENODEV', 'ENOTDIR'].includes(errno(error))) return [];
    throw error;
  }
  return [...names.flatMap((name) => below(path.join(directory, name))), directory];
}

/**
 * Remove what was made of it, with those that were made below. Its processes have ended; the kernel may take a moment to notice.
 *
 * @throws CgroupError `CGROUP_BUSY` when there are still some after two seconds
 */
export async function removeCgroup(cgroup: ContainerCgroup): Promise<void> {
  for (const { mount, directory, found } of cgroup) {
    // The top of a hierarchy is nobody's.
    if (directory === mount || found) continue;
    for (let tries = 0; ; tries++) {
      try {
        for (const each of below(directory)) rmdirSync(each);
        break;
      } catch (error) {
        if (errno(error) === 'ENOENT') break;
        if (errno(error) !== 'EBUSY') throw error;
        if (tries >= 200)
          throw new CgroupError({
            code: 'CGROUP_BUSY',
            message: `the cgroup ${directory} still has processes`,
            hint: 'End them, and delete the container again.',
            cause: error,
          });
        await sleep(tries < 20 ? 1 : 10);
      }
    }
  }
}

function freezer(cgroup: ContainerCgroup): { readonly file: string; readonly on: string; readonly off: string; readonly state: () => boolean } | undefined {
  const two = cgroup.find(({ version }) => version === 2);
  if (two) {
    const events = path.join(two.directory, 'cgroup.events');
    return { file: path.join(two.directory, 'cgroup.freeze'), on: '1', off: '0', state: () => /^frozen 1$/m.test(readKernelFile(events)) };
  }
  const one = cgroup.find(({ controllers }) => controllers.includes('freezer'));
  if (!one) return undefined;
  const file = path.join(one.directory, 'freezer.state');
  return { file, on: 'FROZEN', off: 'THAWED', state: () => readKernelFile(file).trim() === 'FROZEN' };
}

/** Whether all of its processes are stopped. */
export function isCgroupFrozen(cgroup: ContainerCgroup): boolean {
  return freezer(cgroup)?.state() ?? false;
}

/** Stop all of its processes, or let them go on. @throws CgroupError `FREEZER_MISSING`, `FREEZER_TIMEOUT` */
export async function freezeCgroup(cgroup: ContainerCgroup, frozen: boolean): Promise<void> {
  const found = freezer(cgroup);
  if (!found || !existsSync(found.file))
    throw new CgroupError({
      code: 'FREEZER_MISSING',
      message: 'this container has no cgroup that could be frozen',
      hint: 'Mount the freezer, or cgroup2, below /sys/fs/cgroup.',
    });
  for (let tries = 0; tries < 1000; tries++) {
    // Version 1 may have to be told again while processes are being made.
    if (tries % 20 === 0) attempt(`cannot write into ${found.file}`, () => writeFileSync(found.file, frozen ? found.on : found.off));
    if (found.state() === frozen) return;
    await sleep(tries < 50 ? 1 : 10);
  }
  throw new CgroupError({
    code: 'FREEZER_TIMEOUT',
    message: 'the processes of the container were not all stopped within ten seconds',
    hint: 'One is in a system call that cannot be interrupted; try again.',
  });
}

function attempt(what: string, act: () => void): void {
  try {
    act();
  } catch (cause) {
    throw new CgroupError({
      code: 'CGROUP_FAILED',
      message: `${what}: ${getSystemErrorMessage((cause as NodeJS.ErrnoException).errno ?? 0)}`,
      hint: hintOf(errno(cause)),
      cause,
    });
  }
}

function hintOf(code: string): string {
  if (code === 'EROFS') return 'The cgroups are mounted read-only here.';
  if (code === 'EACCES' || code === 'EPERM') return 'Let systemd delegate a cgroup to this user, or run as root.';
  if (code === 'EBUSY')
    return 'A cgroup with processes of its own cannot give controllers to others (cgroup-v2.rst, "No Internal Process Constraint"); choose another linux.cgroupsPath.';
  return 'See cgroups(7).';
}
