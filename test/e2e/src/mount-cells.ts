import type { RunSpec } from '@lamella/engine';

/** A mount that a container may get, and where. */
export interface Cell {
  readonly kind: Kind;
  /** As it is written. */
  readonly destination: string;
  /** Where the words of it lead, without looking at links. */
  readonly written: string;
  /** Where it really leads, by the links of the image. */
  readonly real: string;
}

/** What of mounts there is to ask for. */
export const KINDS = ['volume of the image', 'directory', 'read-only directory', 'file', 'overlay', 'tmpfs', 'procfs', 'device'] as const;
type Kind = (typeof KINDS)[number];

/** What is mounted for confinement, masked, read-only, below and above that, and what looks like it. */
const PLACES: readonly string[] = [
  '/',
  '/proc',
  '/sys',
  '/dev',
  '/dev/pts',
  '/dev/mqueue',
  '/dev/shm',
  '/sys/fs/cgroup',
  '/proc/sys',
  '/proc/sys/kernel',
  '/proc/sys/kernel/core_pattern',
  '/proc/sysrq-trigger',
  ...['kcore', 'keys', 'latency_stats', 'timer_list', 'sched_debug', 'interrupts', 'acpi', 'asound', 'scsi', 'bus', 'fs', 'irq'].map((name) => `/proc/${name}`),
  '/proc/uptime',
  '/proc/self',
  '/proc/self/fd',
  '/proc/self/root',
  '/proc/1/root',
  '/proc/1/cwd',
  '/proc/thread-self/attr/exec',
  '/sys/firmware',
  '/sys/devices',
  '/sys/devices/virtual/powercap',
  '/sys/kernel/made-up',
  '/dev/null',
  '/dev/fd',
  '/dev/fd/0',
  '/dev/ptmx',
  '/dev/pts/ptmx',
  '/dev/console',
  '/dev/new',
  '/dev/shm/new',
  // These only look like it.
  '/process',
  '/system',
  '/device/null',
  '/data',
];

/** Links in the image, `name -> target`. */
export const LINKS: Readonly<Record<string, string>> = {
  up: '/',
  upwards: '../../../..',
  here: '.',
  'links/proc': '/proc',
  'links/sys': '../sys',
  'links/dev': '/up/links/../dev',
  'links/again': 'proc',
  'links/kernel': '/proc/sys/kernel',
  'links/shm': '../dev/shm',
};

/** How a place can be written, and where the words lead; with links where they lead. */
function formsOf(place: string): { readonly destination: string; readonly written: string }[] {
  const base = place.slice(place.lastIndexOf('/'));
  const plain = [place, `${place}/`, `/${place}`, `${place}/.`, `/no-such/..${place}`, `/links/.././/..${place}//`, `${place}/..${base === '/' ? '' : base}`];
  const below = (name: string, top: string): string[] => (place === top || place.startsWith(`${top}/`) ? [`${name}${place.slice(top.length)}`] : []);
  const linked = [
    `/up${place}`,
    `/upwards${place}`,
    `/here/here${place}`,
    ...below('/links/proc', '/proc'),
    ...below('/links/again', '/proc'),
    ...below('/links/sys', '/sys'),
    ...below('/links/dev', '/dev'),
    ...below('/links/kernel', '/proc/sys/kernel'),
    ...below('/links/shm', '/dev/shm'),
  ];
  return [
    ...plain.map((destination) => ({ destination, written: place })),
    ...linked.map((destination) => ({ destination, written: destination === '/' ? '/' : destination.replace(/(.)\/+$/, '$1') })),
  ];
}

/** Every kind of mount, at every place, in every form. */
export function allCells(): Cell[] {
  return PLACES.flatMap((place) => formsOf(place).flatMap((form) => KINDS.map((kind) => ({ kind, ...form, real: place }))));
}

/** Hosts' paths that are mounted. */
export interface Sources {
  readonly directory: string;
  readonly file: string;
}

/** The part of the specification that mounts a cell. Another function makes an image with a volume. */
export function specOf({ kind, destination }: Cell, { directory, file }: Sources): Pick<RunSpec, 'volumes' | 'tmpfs' | 'devices'> {
  switch (kind) {
    case 'volume of the image':
      return {};
    case 'directory':
      return { volumes: [{ source: directory, destination }] };
    case 'read-only directory':
      return { volumes: [{ source: directory, destination, readonly: true }] };
    case 'file':
      return { volumes: [{ source: file, destination }] };
    case 'overlay':
      return { volumes: [{ source: directory, destination, overlay: true }] };
    case 'procfs':
      return { volumes: [{ source: '/proc', destination }] };
    case 'tmpfs':
      return { tmpfs: [{ destination }] };
    case 'device':
      return { devices: [{ source: '/dev/zero', destination }] };
  }
}
