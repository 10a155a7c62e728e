import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { readMounts } from '@lamella/syscall';
import type { OciLinux } from '../config/schema.js';
import { OciError } from '../errors/oci-error.js';

type IntelRdt = NonNullable<OciLinux['intelRdt']>;

/** The Intel RDT class of service of a container, as directories of resctrl. */
export interface RdtGroup {
  /** The directory of the class, and whether it belongs to this container alone. A class with a configured name stays, because others may use it. */
  readonly directory: string;
  readonly made: boolean;
  /** The monitoring group of this container. */
  readonly monitoring?: string;
}

/** Returns where resctrl is mounted. @throws OciError `RDT_MISSING` */
export function resctrl(): string {
  const mount = readMounts().findLast(({ type, root }) => type === 'resctrl' && root === '/');
  if (mount) return mount.point;
  throw new OciError({
    code: 'RDT_MISSING',
    message: 'linux.intelRdt: no resctrl filesystem is mounted',
    hint: 'On a machine with Intel RDT (rdt_a in /proc/cpuinfo): mount -t resctrl resctrl /sys/fs/resctrl',
  });
}

/**
 * Makes the class of service of a container, or finds an existing one (config-linux.md, "IntelRdt").
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
      message: `linux.intelRdt.closID: no such class of service in ${mount}: ${name}`,
      hint: 'Create it first, or set l3CacheSchema, memBwSchema or schemata.',
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
      message: `linux.intelRdt: cannot create the class of service ${name}: ${why || (cause as Error).message}`,
      hint: `See the supported resources in ${path.join(mount, 'schemata')} and ${path.join(mount, 'info')}.`,
      cause,
    });
  }
  return group;
}

/** Changes the schemas of a class of service. @throws OciError `RDT_FAILED` */
export function changeRdtGroup({ directory }: RdtGroup, rdt: Pick<IntelRdt, 'l3CacheSchema' | 'memBwSchema'>): void {
  const lines = schemata(rdt);
  try {
    // One write per line: of several lines the kernel applies some, and its error does not name the bad one.
    for (const line of lines) writeFileSync(path.join(directory, 'schemata'), `${line}\n`);
  } catch (cause) {
    throw new OciError({
      code: 'RDT_FAILED',
      message: `cannot change the class of service ${path.basename(directory)}: ${lastStatus(path.dirname(directory)) || (cause as Error).message}`,
      hint: `See the current schemas in ${path.join(directory, 'schemata')}.`,
      cause,
    });
  }
}

/** Moves a process into a class of service. Its later children follow. */
export function joinRdtGroup({ directory, monitoring }: RdtGroup, pid: number): void {
  for (const each of monitoring === undefined ? [directory] : [directory, monitoring]) writeFileSync(path.join(each, 'tasks'), String(pid));
}

/** Removes what was made. Processes that are still in the class move to the default one. */
export function removeRdtGroup({ directory, made, monitoring }: RdtGroup): void {
  for (const each of [...(monitoring === undefined ? [] : [monitoring]), ...(made ? [directory] : [])]) {
    try {
      rmdirSync(each);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
}

/** Returns the lines for the file `schemata`. memBwSchema replaces MB lines of l3CacheSchema; `schemata` comes last. */
function schemata({ l3CacheSchema, memBwSchema, schemata: more = [] }: IntelRdt): string[] {
  const cache = (l3CacheSchema ?? '').split('\n').filter((line) => line && !(memBwSchema !== undefined && line.startsWith('MB:')));
  return [...cache, ...(memBwSchema === undefined || memBwSchema === '' ? [] : [memBwSchema]), ...more];
}

/** Compares the schemas of an existing class with the configured ones. @throws OciError `RDT_CONFLICT` */
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
      message: `linux.intelRdt.closID: the class of service ${name} exists with other schemas than ${line}`,
      hint: `See ${path.join(directory, 'schemata')}. To use the class as it is, configure no schemas.`,
    });
  }
}

/** Parses a line such as `L3:0=7f0;1=1f`: a resource, and the value of each domain without leading zeros. */
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

/** Returns the kernel's message about the last failure (Documentation/arch/x86/resctrl.rst). */
function lastStatus(mount: string): string {
  const file = path.join(mount, 'info/last_cmd_status');
  const text = existsSync(file) ? readFileSync(file, 'utf8').trim() : '';
  return text === 'ok' ? '' : text;
}
