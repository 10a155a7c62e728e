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
  /** Whether the directory existed before. Then it is not removed with the container. */
  readonly existed?: boolean;
}

/** The cgroups of a container: one directory with version 2, one in each hierarchy with version 1. They need not exist yet. */
export type ContainerCgroup = readonly CgroupPlace[];

const errno = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? '';

/**
 * Returns the cgroups that a `linux.cgroupsPath` names. Nothing is created.
 *
 * An absolute path starts at the mount. A relative path starts at the cgroup of this process with version 1, and at
 * that cgroup's parent with version 2. A cgroup of version 2 with processes cannot enable controllers for its children.
 *
 * @param cgroupsPath `..` cannot leave the hierarchy
 * @param name the relative path if `cgroupsPath` is missing
 * @param mount where cgroups are mounted; default `/sys/fs/cgroup`
 * @see OCI runtime-spec, config-linux.md, "Cgroups Path"
 */
export function placeCgroup(cgroupsPath: string | undefined, name: string, mount?: string): ContainerCgroup {
  return hierarchies(mount).map((each): CgroupPlace => {
    const base = each.version === 2 ? path.posix.dirname(each.own) : each.own;
    const inside = cgroupsPath?.startsWith('/') ? path.posix.join('/', cgroupsPath) : path.posix.join('/', base, path.posix.join('/', cgroupsPath || name));
    const directory = path.join(each.mount, inside);
    return { ...each, directory, ...(existsSync(directory) ? { existed: true } : {}) };
  });
}

/** Creates the directories. @throws CgroupError `CGROUP_FAILED` */
export function makeCgroup(cgroup: ContainerCgroup): void {
  for (const place of cgroup) {
    const below = path.relative(place.mount, place.directory).split('/').filter(Boolean);
    let at = place.mount;
    for (const name of below) {
      if (place.version === 2) enableControllers(at);
      at = path.join(at, name);
      attempt(`cannot make the cgroup ${at}`, () => mkdirSync(at, { recursive: true, mode: 0o755 }));
      if (place.controllers.includes('cpuset')) inheritCpuset(at);
    }
  }
}

/** Enables all controllers for the children of a cgroup, where the kernel allows it. */
function enableControllers(directory: string): void {
  const wanted = readKernelFile(path.join(directory, 'cgroup.controllers')).split(/\s+/).filter(Boolean);
  const given = readKernelFile(path.join(directory, 'cgroup.subtree_control')).split(/\s+/);
  for (const controller of wanted.filter((each) => !given.includes(each)))
    try {
      writeFileSync(path.join(directory, 'cgroup.subtree_control'), `+${controller}`);
    } catch (error) {
      if (!['EACCES', 'EPERM', 'EROFS', 'EBUSY', 'EINVAL', 'EOPNOTSUPP', 'ENOENT', 'ENOTSUP'].includes(errno(error))) throw error;
    }
}

/** Copies the processors and memory nodes of the parent. A new cpuset of version 1 is empty, and cannot contain a process. */
function inheritCpuset(directory: string): void {
  for (const file of ['cpuset.cpus', 'cpuset.mems']) {
    if (readKernelFile(path.join(directory, file)).trim()) continue;
    const above = readKernelFile(path.join(path.dirname(directory), file)).trim();
    if (above) attempt(`cannot set ${file} of ${directory}`, () => writeFileSync(path.join(directory, file), above));
  }
}

/** Moves a process into the cgroups. @param pid on the host @throws CgroupError `CGROUP_FAILED` */
export function joinCgroup(cgroup: ContainerCgroup, pid: number): void {
  for (const { directory } of cgroup)
    attempt(`adding pid ${pid} to ${path.join(directory, 'cgroup.procs')}`, () => writeFileSync(path.join(directory, 'cgroup.procs'), String(pid)));
}

/** Sets limits. @throws CgroupError `LIMIT_INVALID`, `LIMIT_FAILED`, `CONTROLLER_MISSING` */
export function limitCgroup(cgroup: ContainerCgroup, resources: LinuxResources): void {
  const [first] = cgroup;
  if (!first) {
    const writes = writesV2(resources);
    if (writes.length)
      throw new CgroupError({
        code: 'CGROUP_MISSING',
        message: 'no cgroups are mounted at /sys/fs/cgroup',
        hint: `These limits need them: ${writes.map(({ file }) => file).join(', ')}. Mount them: mount -t cgroup2 none /sys/fs/cgroup`,
      });
    return;
  }
  const writes = first.version === 2 ? writesV2(resources) : growFirst(cgroup, writesV1(resources));
  // The kernel may refuse a period together with the old quota, and accept it with the new one.
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
 * Orders the writes of the limits on memory. The kernel requires at any time that the limit on memory and swap together
 * is not below the limit on memory, so the former is written first when it grows. If the limit on memory is removed,
 * the limit on both is removed too.
 *
 * @see cgroup-v1/memory.rst
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
      hint: `Run without that limit, or mount the controller: mount -t cgroup -o ${controller} none /sys/fs/cgroup/${controller}`,
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
        ? `Enable the controller '${controller}' in cgroup.subtree_control of the parent cgroups.`
        : 'The kernel does not accept this value. See cgroup-v2.rst, or cgroup-v1/, in its documentation.',
      cause,
    });
  }
}

/** Sets the rules on devices with version 1. @throws CgroupError `LIMIT_FAILED` */
export function limitDevicesV1(cgroup: ContainerCgroup, rules: readonly DeviceRule[]): void {
  const place = cgroup.find(({ controllers }) => controllers.includes('devices'));
  if (!place) return;
  for (const { file, value } of deviceWrites(rules)) put(cgroup, { controller: 'devices', file, value });
}

/** Returns the process ids in the cgroups and in the cgroups below. The list is empty if they do not exist. */
export function processesOf(cgroup: ContainerCgroup): number[] {
  const place = cgroup.find(({ version, controllers }) => version === 2 || controllers.includes('devices')) ?? cgroup[0];
  if (!place) return [];
  return below(place.directory).flatMap((directory) => readKernelFile(path.join(directory, 'cgroup.procs')).split('\n').filter(Boolean).map(Number));
}

/** Returns a cgroup and its descendants, the deepest first. */
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
 * Removes the cgroups that did not exist before, and the cgroups below them. The kernel may still count processes for a
 * moment after they ended.
 *
 * @throws CgroupError `CGROUP_BUSY` if processes are left after two seconds
 */
export async function removeCgroup(cgroup: ContainerCgroup): Promise<void> {
  for (const directory of removableDirectories(cgroup)) {
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
            hint: `End them, and delete the container again. List them: cat ${directory}/cgroup.procs`,
            cause: error,
          });
        await sleep(tries < 20 ? 1 : 10);
      }
    }
  }
}

/** Returns the directories that are removed with the container: those that did not exist before. */
export function removableDirectories(cgroup: ContainerCgroup): string[] {
  // The root of a hierarchy cannot be removed.
  return cgroup.filter(({ mount, directory, existed }) => directory !== mount && !existed).map(({ directory }) => directory);
}

/**
 * Returns the file that shows whether the cgroup is frozen. With version 2 it then has a line `frozen 1`, with version 1 a line
 * `FROZEN`. Undefined if there is no freezer.
 */
export function frozenFile(cgroup: ContainerCgroup): { readonly path: string; readonly version: 1 | 2 } | undefined {
  const two = cgroup.find(({ version }) => version === 2);
  if (two) return { path: path.join(two.directory, 'cgroup.events'), version: 2 };
  const one = cgroup.find(({ controllers }) => controllers.includes('freezer'));
  return one && { path: path.join(one.directory, 'freezer.state'), version: 1 };
}

function freezer(cgroup: ContainerCgroup): { readonly file: string; readonly on: string; readonly off: string; readonly state: () => boolean } | undefined {
  const shown = frozenFile(cgroup);
  if (shown?.version === 2)
    return { file: path.join(path.dirname(shown.path), 'cgroup.freeze'), on: '1', off: '0', state: () => /^frozen 1$/m.test(readKernelFile(shown.path)) };
  return shown && { file: shown.path, on: 'FROZEN', off: 'THAWED', state: () => readKernelFile(shown.path).trim() === 'FROZEN' };
}

/** Returns whether all processes in the cgroup are frozen. */
export function isCgroupFrozen(cgroup: ContainerCgroup): boolean {
  return freezer(cgroup)?.state() ?? false;
}

/** Freezes or thaws all processes in the cgroup. @throws CgroupError `FREEZER_MISSING`, `FREEZER_TIMEOUT` */
export async function setCgroupFrozen(cgroup: ContainerCgroup, frozen: boolean): Promise<void> {
  const control = freezer(cgroup);
  if (!control || !existsSync(control.file))
    throw new CgroupError({
      code: 'FREEZER_MISSING',
      message: 'cannot freeze the container: it is not in a cgroup that has a freezer',
      hint: 'Mount the freezer: mount -t cgroup -o freezer none /sys/fs/cgroup/freezer',
    });
  for (let tries = 0; tries < 1000; tries++) {
    // With version 1 the write must be repeated while processes fork.
    if (tries % 20 === 0) attempt(`cannot write into ${control.file}`, () => writeFileSync(control.file, frozen ? control.on : control.off));
    if (control.state() === frozen) return;
    await sleep(tries < 50 ? 1 : 10);
  }
  throw new CgroupError({
    code: 'FREEZER_TIMEOUT',
    message: 'the kernel did not freeze all processes of the container within 10 seconds',
    hint: 'A process is in a system call that cannot be interrupted. Try again.',
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
  if (code === 'EROFS') return 'The cgroups are mounted read-only. Mount them again: mount -o remount,rw /sys/fs/cgroup';
  if (code === 'EACCES' || code === 'EPERM') return 'Run as root, or in a delegated cgroup: systemd-run --user --scope -p Delegate=yes …';
  if (code === 'EBUSY')
    return 'Choose another linux.cgroupsPath: a cgroup with processes cannot enable controllers for its children (cgroup-v2.rst, "No Internal Process Constraint").';
  return 'See cgroups(7).';
}
