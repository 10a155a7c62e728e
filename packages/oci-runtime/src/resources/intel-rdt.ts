import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { readMounts } from '@lamella/syscall';
import type { OciLinux } from '../config/schema.js';
import { OciError } from '../errors/oci-error.js';

type IntelRdt = NonNullable<OciLinux['intelRdt']>;

/** The class of service of a container, as directories of resctrl. */
export interface RdtGroup {
  /** Of the class; whether it is this container's alone. One that was asked for by its name stays, for there may be others in it. */
  readonly directory: string;
  readonly made: boolean;
  /** What is counted for this container alone. */
  readonly monitoring?: string;
}

/** Where this process sees resctrl mounted. @throws OciError `RDT_MISSING` */
export function resctrl(): string {
  const mount = readMounts().findLast(({ type, root }) => type === 'resctrl' && root === '/');
  if (mount) return mount.point;
  throw new OciError({
    code: 'RDT_MISSING',
    message: 'linux.intelRdt: no resctrl filesystem is mounted',
    hint: 'mount -t resctrl resctrl /sys/fs/resctrl, on a machine whose processor and kernel have Intel RDT (/proc/cpuinfo: rdt_a).',
  });
}

/**
 * Make a container's class of service, or find the one that is there (config-linux.md, "IntelRdt").
 *
 * @param mount where resctrl is, see {@link resctrl}
 * @throws OciError `RDT_INVALID`, `RDT_CONFLICT`, `RDT_FAILED`
 */
export function makeRdtGroup(rdt: IntelRdt, id: string, mount: string): RdtGroup {
  const name = rdt.closID ?? id;
  const directory = name === '/' ? mount : path.join(mount, name);
  const lines = schemata(rdt);
  const there = name === '/' || existsSync(directory);
  if (!there && rdt.closID !== undefined && !lines.length)
    throw new OciError({
      code: 'RDT_INVALID',
      message: `linux.intelRdt.closID: there is no class of service ${name} in ${mount}`,
      hint: 'Make it first, or say with l3CacheSchema, memBwSchema or schemata what it is to be.',
    });
  if (there && lines.length && rdt.closID !== undefined) compare(lines, directory, name);
  const monitoring = rdt.enableMonitoring ? path.join(directory, 'mon_groups', id) : undefined;
  const group: RdtGroup = { directory, made: !there && rdt.closID === undefined, ...(monitoring === undefined ? {} : { monitoring }) };
  try {
    if (!there) mkdirSync(directory);
    if (lines.length && (!there || rdt.closID === undefined)) writeFileSync(path.join(directory, 'schemata'), lines.map((line) => `${line}\n`).join(''));
    if (monitoring !== undefined) mkdirSync(monitoring);
  } catch (cause) {
    const why = lastStatus(mount);
    removeRdtGroup({ ...group, made: !there });
    throw new OciError({
      code: 'RDT_FAILED',
      message: `linux.intelRdt: cannot set up the class of service ${name}: ${why || (cause as Error).message}`,
      hint: `${path.join(mount, 'schemata')} shows what this machine can divide, and ${path.join(mount, 'info')} how.`,
      cause,
    });
  }
  return group;
}

/** Exchange the schemas of a class of service. @throws OciError `RDT_FAILED` */
export function changeRdtGroup({ directory }: RdtGroup, rdt: Pick<IntelRdt, 'l3CacheSchema' | 'memBwSchema'>): void {
  const lines = schemata(rdt);
  try {
    // The kernel takes what it can of several lines, and says that it failed: each for itself, the error names the one.
    for (const line of lines) writeFileSync(path.join(directory, 'schemata'), `${line}\n`);
  } catch (cause) {
    throw new OciError({
      code: 'RDT_FAILED',
      message: `the class of service ${path.basename(directory)} cannot be changed: ${lastStatus(path.dirname(directory)) || (cause as Error).message}`,
      hint: `${path.join(directory, 'schemata')} shows what it is now.`,
      cause,
    });
  }
}

/** Put a process in, and what it starts from then on. */
export function joinRdtGroup({ directory, monitoring }: RdtGroup, pid: number): void {
  for (const each of monitoring === undefined ? [directory] : [directory, monitoring]) writeFileSync(path.join(each, 'tasks'), String(pid));
}

/** Take away what was made; processes that are still in it fall back to the class of all others. */
export function removeRdtGroup({ directory, made, monitoring }: RdtGroup): void {
  for (const each of [...(monitoring === undefined ? [] : [monitoring]), ...(made ? [directory] : [])]) {
    try {
      rmdirSync(each);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
}

/** What is written into `schemata`: lines of memory bandwidth in the cache's schema give way to the bandwidth's own; `schemata` comes last. */
function schemata({ l3CacheSchema, memBwSchema, schemata: more = [] }: IntelRdt): string[] {
  const cache = (l3CacheSchema ?? '').split('\n').filter((line) => line && !(memBwSchema !== undefined && line.startsWith('MB:')));
  return [...cache, ...(memBwSchema === undefined || memBwSchema === '' ? [] : [memBwSchema]), ...more];
}

/** @throws OciError `RDT_CONFLICT` when a class that is there is another one than was asked for */
function compare(lines: readonly string[], directory: string, name: string): void {
  const has = new Map(
    readFileSync(path.join(directory, 'schemata'), 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((line) => parsed(line)),
  );
  for (const line of lines) {
    const [resource, domains] = parsed(line);
    const is = has.get(resource);
    if (is && [...domains].every(([domain, value]) => is.get(domain) === value)) continue;
    throw new OciError({
      code: 'RDT_CONFLICT',
      message: `linux.intelRdt.closID: the class of service ${name} is there, and is not ${line}`,
      hint: `${path.join(directory, 'schemata')} shows what it is; leave the schemas out to use it as it is.`,
    });
  }
}

/** `L3:0=7f0;1=1f`: a resource, and what each of its domains gives. Leading zeros mean nothing. */
function parsed(line: string): readonly [resource: string, domains: ReadonlyMap<string, string>] {
  const [resource = '', rest = ''] = line.trim().split(/:(.*)/s);
  const domains = rest.split(';').map((each) => {
    const [domain = '', value = ''] = each.split('=');
    return [
      domain.trim(),
      value
        .trim()
        .toLowerCase()
        .replace(/^0+(?=.)/, ''),
    ] as const;
  });
  return [resource.trim(), new Map(domains)];
}

/** What the kernel says of the last failure (Documentation/arch/x86/resctrl.rst). */
function lastStatus(mount: string): string {
  const file = path.join(mount, 'info/last_cmd_status');
  const text = existsSync(file) ? readFileSync(file, 'utf8').trim() : '';
  return text === 'ok' ? '' : text;
}
