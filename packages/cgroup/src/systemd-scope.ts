import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CgroupError } from './cgroup-error.js';
import { type LinuxResources, writesV2 } from './linux-resources.js';

/** A scope of systemd: a cgroup for processes that systemd did not start (systemd.scope(5)). */
export interface SystemdScope {
  /** Its name, which ends in `.scope`. */
  readonly unit: string;
  readonly slice: string;
  /** Whether the user's service manager has the scope, and not the system's. */
  readonly user: boolean;
}

/** A property of a unit in the form of busctl(1): name, D-Bus type, value. */
export type UnitProperty = readonly [name: string, signature: string, ...value: string[]];

/** How long to wait for a job of systemd, in milliseconds. runc waits as long. */
const JOB = 30_000;

/**
 * Returns the scope that a cgroupsPath of the form `SLICE:PREFIX:NAME` names.
 *
 * @throws CgroupError `CGROUPS_PATH_INVALID`
 */
export function scopeOf(cgroupsPath: string | undefined, name: string, user: boolean): SystemdScope {
  const parts = (cgroupsPath || `:lamella:${name}`).split(':');
  const [slice = '', prefix = '', own = ''] = parts;
  if (parts.length !== 3 || !own || own.endsWith('.slice') || /[/\s]/.test(`${slice}${prefix}${own}`))
    throw new CgroupError({
      code: 'CGROUPS_PATH_INVALID',
      message: `expected cgroupsPath to be of format "slice:prefix:name" for systemd cgroups, got "${cgroupsPath}" instead`,
      hint: 'Use that format, or run without --systemd-cgroup to use a path.',
    });
  return { unit: `${prefix ? `${prefix}-` : ''}${own}.scope`, slice: slice || (user ? 'user.slice' : 'system.slice'), user };
}

/**
 * Returns the directory of a slice below the manager's cgroup: `a-b.slice` is in `a.slice` (systemd.slice(5)).
 *
 * @throws CgroupError `CGROUPS_PATH_INVALID`
 */
function sliceDirectory(slice: string): string {
  const name = slice.slice(0, -'.slice'.length);
  if (slice === '-.slice') return '';
  if (!slice.endsWith('.slice') || !name || name.startsWith('-') || name.endsWith('-') || name.includes('--') || name.includes('/'))
    throw new CgroupError({ code: 'CGROUPS_PATH_INVALID', message: `invalid slice name: ${slice}`, hint: 'Use a name such as machine.slice or a-b.slice.' });
  const parts = name.split('-');
  return parts.map((_, i) => `${parts.slice(0, i + 1).join('-')}.slice`).join('/');
}

/** Returns limits as properties of a unit. systemd rewrites the files of a unit's cgroup, and would reset limits that it does not know. */
export function unitProperties(resources: LinuxResources): UnitProperty[] {
  const properties: UnitProperty[] = [];
  const most = (value: string): string => (value === 'max' ? String(2n ** 64n - 1n) : value);
  for (const { file, value } of writesV2(resources)) {
    const plain = { 'memory.max': 'MemoryMax', 'memory.low': 'MemoryLow', 'memory.min': 'MemoryMin', 'memory.high': 'MemoryHigh' }[file];
    if (plain) properties.push([plain, 't', most(value)]);
    else if (file === 'memory.swap.max') properties.push(['MemorySwapMax', 't', most(value)]);
    else if (file === 'pids.max') properties.push(['TasksMax', 't', most(value)]);
    else if (file === 'cpu.weight') properties.push(['CPUWeight', 't', value]);
    else if (file === 'cpu.max') properties.push(...quota(value));
    else if (file === 'cpuset.cpus') properties.push(['AllowedCPUs', 'ay', ...bitmask(value)]);
    else if (file === 'cpuset.mems') properties.push(['AllowedMemoryNodes', 'ay', ...bitmask(value)]);
  }
  return properties;
}

/** Converts `QUOTA PERIOD` in microseconds to microseconds per second. systemd rounds up to hundredths of a processor. */
function quota(value: string): UnitProperty[] {
  const [most = 'max', period = '100000'] = value.split(' ');
  const each: UnitProperty[] = [['CPUQuotaPeriodUSec', 't', period]];
  if (most === 'max') return [...each, ['CPUQuotaPerSecUSec', 't', String(2n ** 64n - 1n)]];
  const second = Math.ceil((Number(most) * 1_000_000) / Number(period) / 10_000) * 10_000;
  return [...each, ['CPUQuotaPerSecUSec', 't', String(second)]];
}

/** Converts a list such as `0-2,4` to the number of bytes and the bytes of a bit mask, the lowest first. */
function bitmask(list: string): string[] {
  const bytes: number[] = [];
  for (const part of list.split(',').filter(Boolean)) {
    const [first = 0, last = first] = part.split('-').map(Number);
    for (let bit = first; bit <= last; bit++) {
      while (bytes.length <= bit >> 3) bytes.push(0);
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) | (1 << (bit & 7));
    }
  }
  return [String(bytes.length), ...bytes.map(String)];
}

/**
 * Starts a scope with one process. Resolves when the process is in the scope's cgroup.
 *
 * @param pid the process id on the host
 * @param more properties that replace or extend the defaults
 * @returns the cgroup's path below the mount of systemd's hierarchy
 * @throws CgroupError `SYSTEMD_FAILED`, `SYSTEMD_MISSING`
 */
export async function startScope(scope: SystemdScope, pid: number, description: string, more: readonly UnitProperty[]): Promise<string> {
  const own: UnitProperty[] = [
    ['Description', 's', description],
    ['Slice', 's', scope.slice],
    ['Delegate', 'b', 'true'],
    ['PIDs', 'au', '1', String(pid)],
    ['DefaultDependencies', 'b', 'false'],
    ...['MemoryAccounting', 'CPUAccounting', 'IOAccounting', 'TasksAccounting'].map((name): UnitProperty => [name, 'b', 'true']),
  ];
  // The caller's properties replace the defaults.
  const named = new Map([...own, ...more].map((property) => [property[0], property]));
  const call = (): void => {
    const properties = [...named.values()];
    callManager(scope, 'StartTransientUnit', 'ssa(sv)a(sa(sv))', [scope.unit, 'replace', String(properties.length), ...properties.flat(), '0']);
  };
  try {
    call();
  } catch (error) {
    // systemd keeps a failed unit of the same name until it is reset.
    if (!/already exists|already loaded/.test((error as Error).message)) throw error;
    callIfLoaded(scope, 'ResetFailedUnit', 's', [scope.unit]);
    call();
  }
  const began = performance.now();
  for (;;) {
    const inside = readFileSync(`/proc/${pid}/cgroup`, 'utf8')
      .split('\n')
      .map((line) => line.slice(line.indexOf(':', line.indexOf(':') + 1) + 1))
      .find((at) => at.split('/').includes(scope.unit));
    if (inside !== undefined) return inside;
    if (performance.now() - began > JOB)
      throw new CgroupError({
        code: 'SYSTEMD_FAILED',
        message: `systemd did not put process ${pid} into ${scope.unit} within ${JOB / 1000} seconds`,
        hint: `systemctl${scope.user ? ' --user' : ''} status ${scope.unit}`,
      });
    await sleep(performance.now() - began < 50 ? 1 : 10);
  }
}

/** Changes the properties of a unit. @throws CgroupError `SYSTEMD_FAILED` */
export function updateScope(scope: SystemdScope, properties: readonly UnitProperty[]): void {
  if (properties.length) callManager(scope, 'SetUnitProperties', 'sba(sv)', [scope.unit, 'true', String(properties.length), ...properties.flat()]);
}

/** Stops a unit. It is not an error if the unit has ended already. */
export function stopScope(scope: SystemdScope): void {
  callIfLoaded(scope, 'StopUnit', 'ss', [scope.unit, 'replace']);
  callIfLoaded(scope, 'ResetFailedUnit', 's', [scope.unit]);
}

/** Calls a method, and ignores that the unit does not exist. */
function callIfLoaded(scope: SystemdScope, method: string, signature: string, values: readonly string[]): void {
  try {
    callManager(scope, method, signature, values);
  } catch (error) {
    if (!/not loaded|not exist|not found/i.test((error as Error).message)) throw error;
  }
}

/** Calls a method of systemd's manager with busctl(1), which is part of systemd. */
function callManager({ user }: SystemdScope, method: string, signature: string, values: readonly string[]): void {
  runBusctl(user, 'call', [method, signature, ...values]);
}

function runBusctl(user: boolean, verb: 'call' | 'get-property', values: readonly string[]): string {
  const method = values[0] ?? '';
  const object = ['org.freedesktop.systemd1', '/org/freedesktop/systemd1', 'org.freedesktop.systemd1.Manager'];
  try {
    return execFileSync('busctl', [user ? '--user' : '--system', '--', verb, ...object, ...values], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: JOB,
    });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT')
      throw new CgroupError({
        code: 'SYSTEMD_MISSING',
        message: 'cannot create a systemd scope: busctl is not installed',
        hint: 'Install systemd, or run without --systemd-cgroup to use cgroupfs.',
        cause,
      });
    const reason = String((cause as { stderr?: unknown }).stderr ?? '').trim() || (cause as Error).message;
    throw new CgroupError({
      code: 'SYSTEMD_FAILED',
      message: `systemd failed to run ${method}: ${reason.replace(/^Call failed: /, '')}`,
      hint: user
        ? 'Set XDG_RUNTIME_DIR, and start the user manager: loginctl enable-linger'
        : 'Check that systemd runs: systemctl status. Without it, use cgroupfs.',
      cause,
    });
  }
}

/**
 * Returns the path that a scope's cgroup will have, below the mount of systemd's hierarchy.
 *
 * @throws CgroupError `SYSTEMD_FAILED`, `SYSTEMD_MISSING`, `CGROUPS_PATH_INVALID`
 */
export function cgroupOfScope({ unit, slice, user }: SystemdScope): string {
  // The system's manager is at the root of the hierarchy; a user's manager is in user@UID.service.
  const [, top = ''] = /^s "(.*)"$/.exec(runBusctl(user, 'get-property', ['ControlGroup']).trim()) ?? [];
  return path.posix.join('/', top, sliceDirectory(slice), unit);
}
