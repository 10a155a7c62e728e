import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CgroupError } from './cgroup-error.js';
import { type LinuxResources, writesV2 } from './linux-resources.js';

/** A scope of systemd's: a cgroup that it makes around processes of somebody else's (systemd.scope(5)). */
export interface SystemdScope {
  /** Its name, which ends in `.scope`. */
  readonly unit: string;
  readonly slice: string;
  /** Of the user's own manager, instead of the machine's. */
  readonly user: boolean;
}

/** A property of a unit, as busctl(1) takes it: name, D-Bus type, value. */
export type UnitProperty = readonly [name: string, signature: string, ...value: string[]];

/** Milliseconds that systemd gets for a job; as long as runc gives it. */
const JOB = 30_000;

/**
 * What a cgroupsPath means to who lets systemd make cgroups: `SLICE:PREFIX:NAME`.
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
      hint: 'Without --systemd-cgroup it is a path.',
    });
  return { unit: `${prefix ? `${prefix}-` : ''}${own}.scope`, slice: slice || (user ? 'user.slice' : 'system.slice'), user };
}

/**
 * Where a slice is below the top of the manager's cgroups: `a-b.slice` lies in `a.slice` (systemd.slice(5)).
 *
 * @throws CgroupError `CGROUPS_PATH_INVALID`
 */
function sliceDirectory(slice: string): string {
  const name = slice.slice(0, -'.slice'.length);
  if (slice === '-.slice') return '';
  if (!slice.endsWith('.slice') || !name || name.startsWith('-') || name.endsWith('-') || name.includes('--') || name.includes('/'))
    throw new CgroupError({ code: 'CGROUPS_PATH_INVALID', message: `invalid slice name: ${slice}`, hint: 'It is one such as machine.slice, or a-b.slice.' });
  const parts = name.split('-');
  return parts.map((_, i) => `${parts.slice(0, i + 1).join('-')}.slice`).join('/');
}

/** The properties of a unit that say what limits do: systemd sets these again whenever it likes to, and would undo others. */
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

/** `QUOTA PERIOD`, in microseconds, as microseconds of each second; systemd counts in hundredths of a processor. */
function quota(value: string): UnitProperty[] {
  const [most = 'max', period = '100000'] = value.split(' ');
  const each: UnitProperty[] = [['CPUQuotaPeriodUSec', 't', period]];
  if (most === 'max') return [...each, ['CPUQuotaPerSecUSec', 't', String(2n ** 64n - 1n)]];
  const second = Math.ceil((Number(most) * 1_000_000) / Number(period) / 10_000) * 10_000;
  return [...each, ['CPUQuotaPerSecUSec', 't', String(second)]];
}

/** `0-2,4` as bytes, the lowest first, after how many there are. */
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
 * Let systemd make a scope around a process. Resolves when the process is in it.
 *
 * @param more properties beside those that every container's has
 * @returns the cgroup, below the mount of the hierarchy that systemd has
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
  // What was asked for counts for more than what we think.
  const named = new Map([...own, ...more].map((property) => [property[0], property]));
  const call = (): void => {
    const properties = [...named.values()];
    manager(scope, 'StartTransientUnit', 'ssa(sv)a(sa(sv))', [scope.unit, 'replace', String(properties.length), ...properties.flat(), '0']);
  };
  try {
    call();
  } catch (error) {
    // One that failed is kept for somebody to look at, under the same name.
    if (!/already exists|already loaded/.test((error as Error).message)) throw error;
    quietly(scope, 'ResetFailedUnit', 's', [scope.unit]);
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

/** Change the limits that systemd knows of a unit. @throws CgroupError `SYSTEMD_FAILED` */
export function updateScope(scope: SystemdScope, properties: readonly UnitProperty[]): void {
  if (properties.length) manager(scope, 'SetUnitProperties', 'sba(sv)', [scope.unit, 'true', String(properties.length), ...properties.flat()]);
}

/** End a unit; one that has ended with its last process is fine. */
export function stopScope(scope: SystemdScope): void {
  quietly(scope, 'StopUnit', 'ss', [scope.unit, 'replace']);
  quietly(scope, 'ResetFailedUnit', 's', [scope.unit]);
}

/** A call that says nothing new when the unit is not there. */
function quietly(scope: SystemdScope, method: string, signature: string, values: readonly string[]): void {
  try {
    manager(scope, method, signature, values);
  } catch (error) {
    if (!/not loaded|not exist|not found/i.test((error as Error).message)) throw error;
  }
}

/** Call systemd's manager by busctl(1), which comes with it. */
function manager({ user }: SystemdScope, method: string, signature: string, values: readonly string[]): void {
  ask(user, 'call', [method, signature, ...values]);
}

function ask(user: boolean, verb: 'call' | 'get-property', values: readonly string[]): string {
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
        message: 'systemd cannot be asked for a cgroup: there is no busctl',
        hint: 'This machine does not run systemd; let the engine use cgroupfs.',
        cause,
      });
    const said = String((cause as { stderr?: unknown }).stderr ?? '').trim() || (cause as Error).message;
    throw new CgroupError({
      code: 'SYSTEMD_FAILED',
      message: `systemd refuses ${method}: ${said.replace(/^Call failed: /, '')}`,
      hint: user
        ? "Is there a session of this user's (XDG_RUNTIME_DIR, loginctl enable-linger)?"
        : 'Does systemd run here, and its bus? Else let the engine use cgroupfs.',
      cause,
    });
  }
}

/**
 * Where a unit's cgroup will be, below the mount of the hierarchy.
 *
 * @throws CgroupError `SYSTEMD_FAILED`, `SYSTEMD_MISSING`, `CGROUPS_PATH_INVALID`
 */
export function cgroupOfScope({ unit, slice, user }: SystemdScope): string {
  // The machine's manager is at the top; a user's in its service.
  const [, top = ''] = /^s "(.*)"$/.exec(ask(user, 'get-property', ['ControlGroup']).trim()) ?? [];
  return path.posix.join('/', top, sliceDirectory(slice), unit);
}
