import path from 'node:path';
import type { RunSpec, Volume } from '@lamella/engine';
import type { TmpfsMount } from '@lamella/namespace';
import { UsageError } from '../errors/usage-error.js';
import { parseSizeFlag as sizeOf } from './confinement-flags.js';
import { csvFields } from './csv-fields.js';
import type { RunFlags } from './run-flags.js';

/** What `-v`, `--mount` and `--tmpfs` ask for. */
export type RequestedMounts = Required<Pick<RunSpec, 'volumes' | 'tmpfs' | 'anonymousVolumes'>>;

/** Adds to what was asked for. */
interface Asked {
  readonly volumes: Volume[];
  readonly tmpfs: Omit<TmpfsMount, 'type'>[];
  readonly anonymousVolumes: string[];
}

/** @throws UsageError */
export function requestedMounts(flags: Pick<RunFlags, 'volume' | 'mount' | 'tmpfs'>): RequestedMounts {
  const asked: Asked = { volumes: [], tmpfs: (flags.tmpfs ?? []).map(tmpfs), anonymousVolumes: [] };
  for (const text of flags.volume ?? []) volume(text, asked);
  for (const text of flags.mount ?? []) mount(text, asked);
  return asked;
}

const VOLUME_HINT = 'Write -v /host/path:/path/inside, or with options such as :ro at its end; a path with a colon: --mount type=bind,src=PATH,dst=PATH.';

/** Options of which a volume has one at most. */
const KINDS: Readonly<Record<string, 'access' | 'label' | 'propagation' | 'consistency' | 'copy' | 'overlay' | 'idmap'>> = {
  ro: 'access',
  rw: 'access',
  readonly: 'access',
  z: 'label',
  Z: 'label',
  private: 'propagation',
  rprivate: 'propagation',
  slave: 'propagation',
  rslave: 'propagation',
  shared: 'propagation',
  rshared: 'propagation',
  cached: 'consistency',
  delegated: 'consistency',
  consistent: 'consistency',
  nocopy: 'copy',
  overlay: 'overlay',
  O: 'overlay',
  idmap: 'idmap',
};

/** `[SRC:]DST[:OPTIONS]` */
function volume(text: string, asked: Asked): void {
  const [first = '', second, mode, ...more] = text.split(':');
  if (second === undefined) {
    anonymous(first, asked, text);
    return;
  }
  if (more.length || !first || mode === '' || !second.startsWith('/')) throw new UsageError(`'${text}' is not a volume`, VOLUME_HINT);
  if (!first.includes('/') && first !== '.' && first !== '..')
    throw new UsageError(
      `'${first}' would be a named volume, which Lamella does not have`,
      `For the directory of that name write -v ./${first}:${second}; for an empty one that the container keeps, -v ${second}.`,
    );
  asked.volumes.push({ source: path.resolve(first), destination: insidePath(second, text), ...volumeOptions(mode?.split(',') ?? []) });
}

function volumeOptions(options: readonly string[]): Omit<Volume, 'source' | 'destination'> {
  const given = new Map<string, string>();
  for (const option of options) {
    const kind = KINDS[option];
    if (option === 'U')
      throw new UsageError(
        'with the option U the owners of the volume’s files would change on the host',
        'idmap shows them as the container’s own, and changes nothing.',
      );
    if (kind === undefined)
      throw new UsageError(
        `'${option}' is not an option of a volume`,
        'Known are ro, rw, overlay (O), idmap, rslave, rprivate; z, Z, cached, delegated, consistent and nocopy change nothing here.',
      );
    const earlier = given.get(kind);
    if (earlier !== undefined) throw new UsageError(`a volume cannot be both ${earlier} and ${option}`, 'Give one of them.');
    given.set(kind, option);
  }
  const access = given.get('access');
  return {
    readonly: access === 'ro' || access === 'readonly',
    ...(given.has('overlay') ? { overlay: true } : {}),
    ...(given.has('idmap') ? { idmap: true } : {}),
    ...propagation(given.get('propagation')),
  };
}

function propagation(option: string | undefined): Pick<Volume, 'propagation'> {
  switch (option) {
    case undefined:
    case 'private':
    case 'rprivate':
      return {};
    case 'slave':
    case 'rslave':
      return { propagation: 'slave' };
    case 'shared':
    case 'rshared':
      throw new UsageError(`a volume cannot be ${option}: what a container mounts stays in it`, 'rslave shows it what the host mounts there later.');
    default:
      throw new UsageError(`'${option}' is not a propagation`, 'Known are rprivate and rslave.');
  }
}

function anonymous(destination: string, asked: Asked, text: string): void {
  if (!destination.startsWith('/')) throw new UsageError(`'${text}' is not a volume`, VOLUME_HINT);
  asked.anonymousVolumes.push(insidePath(destination, text));
}

/** @throws UsageError */
function insidePath(destination: string, text: string): string {
  if (!destination.startsWith('/')) throw new UsageError(`the place '${destination}' inside ('${text}') is not an absolute path`, 'It begins with a slash.');
  if (path.posix.resolve(destination) === '/') throw new UsageError(`'${text}' would be mounted on the root of the container`, 'Use a directory below it.');
  return destination;
}

/** What each type of --mount takes beside its target; a key that nobody reads would be ignored. */
const TYPES: Readonly<Record<string, readonly string[]>> = {
  bind: ['source', 'readonly', 'consistency', 'overlay', 'idmap', 'bind-propagation', 'bind-nonrecursive', 'bind-recursive'],
  tmpfs: ['source', 'readonly', 'consistency', 'tmpfs-size', 'tmpfs-mode'],
  volume: ['source', 'consistency', 'volume-nocopy'],
};

/** `type=bind,src=PATH,dst=PATH[,…]`, by the keys of docker-run(1). */
function mount(text: string, asked: Asked): void {
  const fields = csvFields(text);
  if (!fields)
    throw new UsageError(
      `'${text}' of --mount has a quote in the middle of a field, or one that is not closed`,
      'Write "dst=/a,b", with the quotes around the whole field.',
    );
  const given = new Map<string, string | undefined>();
  for (const field of fields) {
    const equals = field.indexOf('=');
    const key = canonicalKey((equals < 0 ? field : field.slice(0, equals)).toLowerCase(), text);
    if (given.has(key)) throw new UsageError(`'${text}' of --mount says ${key} twice`, 'Once is enough.');
    given.set(key, equals < 0 ? undefined : field.slice(equals + 1));
  }
  const type = given.get('type') ?? 'volume';
  given.delete('type');
  const keys = Object.hasOwn(TYPES, type) ? TYPES[type] : undefined;
  if (!keys) throw new UsageError(`'${type}' is not a type of --mount`, `Known are ${Object.keys(TYPES).join(', ')}.`);
  const value = (key: string): string | undefined => {
    const found = given.get(key);
    if (given.has(key) && !found) throw new UsageError(`${key} of --mount ('${text}') has no value`, `Write ${key}=VALUE.`);
    return found;
  };
  const isSet = (key: string): boolean => given.has(key) && flag(given.get(key), key);
  const isUnread = (key: string): boolean => key !== 'target' && !keys.includes(key) && !(key === 'readonly' && !isSet(key));
  const wrongType = [...given.keys()].find(isUnread);
  if (wrongType !== undefined)
    throw new UsageError(
      `${wrongType} of --mount is not for type=${type}`,
      type === 'volume' ? 'A directory that the container keeps can be written to; type=bind,readonly shows one of the host.' : 'See lamella run --help.',
    );
  const source = value('source');
  const target = value('target');
  if (target === undefined) throw new UsageError(`'${text}' of --mount does not say where in the container`, 'Write dst=/path/inside.');
  const destination = insidePath(target, text);
  switch (type) {
    case 'bind': {
      if (source === undefined) throw new UsageError(`'${text}' of --mount does not say what to show`, 'Write src=/host/path.');
      if (!source.startsWith('/') && !/^\.{1,2}(?:\/|$)/.test(source))
        throw new UsageError(`the source '${source}' of --mount is not an absolute path`, `For one in this directory write src=./${source}.`);
      const recursive = value('bind-recursive') ?? (isSet('bind-nonrecursive') ? 'disabled' : 'enabled');
      if (!['enabled', 'disabled', 'readonly'].includes(recursive))
        throw new UsageError(
          `bind-recursive=${recursive} of --mount is not possible`,
          'Known are enabled, disabled and readonly; readonly holds for all mounts below.',
        );
      if (recursive === 'readonly' && !isSet('readonly'))
        throw new UsageError('bind-recursive=readonly of --mount goes with readonly', 'Add readonly; it holds for all mounts below.');
      asked.volumes.push({
        source: path.resolve(source),
        destination,
        readonly: isSet('readonly'),
        ...(isSet('overlay') ? { overlay: true } : {}),
        ...(isSet('idmap') ? { idmap: true } : {}),
        ...(recursive === 'disabled' ? { recursive: false } : {}),
        ...propagation(value('bind-propagation')),
      });
      return;
    }
    case 'tmpfs':
      if (source !== undefined) throw new UsageError('a tmpfs has no source', 'Leave src out; type=bind shows a directory of the host.');
      asked.tmpfs.push({ destination, ...tmpfsKeys(value('tmpfs-size'), value('tmpfs-mode')), ...(isSet('readonly') ? { readonly: true } : {}) });
      return;
    default:
      if (source !== undefined)
        throw new UsageError(
          `'${source}' would be a named volume, which Lamella does not have`,
          'type=bind shows a directory of the host; without src it is an empty one that the container keeps.',
        );
      anonymous(destination, asked, text);
  }
}

function tmpfsKeys(size: string | undefined, mode: string | undefined): Pick<TmpfsMount, 'size' | 'mode'> {
  if (mode !== undefined && !MODE.test(mode)) throw new UsageError(`tmpfs-mode=${mode} is not a mode`, 'It is octal, such as 1777.');
  return { ...(size === undefined ? {} : { size: String(sizeOf(size, 'tmpfs-size=')) }), ...(mode === undefined ? {} : { mode }) };
}

/** The names that Docker has for one key. */
const ALIASES: Readonly<Record<string, string>> = { src: 'source', dst: 'target', destination: 'target', ro: 'readonly' };
const KEYS = [
  'type',
  'source',
  'target',
  'readonly',
  'consistency',
  'overlay',
  'idmap',
  'bind-propagation',
  'bind-nonrecursive',
  'bind-recursive',
  'tmpfs-size',
  'tmpfs-mode',
  'volume-nocopy',
];

function canonicalKey(key: string, text: string): string {
  const known = ALIASES[key] ?? key;
  if (KEYS.includes(known)) return known;
  throw new UsageError(
    `'${key}' is not a key of --mount ('${text}')`,
    'Known are type, src, dst, ro, overlay, idmap, bind-propagation, bind-recursive, tmpfs-size, tmpfs-mode.',
  );
}

/** A key without a value is true. */
function flag(value: string | undefined, key: string): boolean {
  if (value === undefined || ['1', 't', 'T', 'true', 'TRUE', 'True'].includes(value)) return true;
  if (['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(value)) return false;
  throw new UsageError(`'${key}=${value}' of --mount is neither true nor false`, `Write ${key}, or leave it out.`);
}

const SIZE = /^\d+[kKmMgGtTpPeE%]?$/;
const MODE = /^0*[0-7]{1,4}$/;

function tmpfs(text: string): Omit<TmpfsMount, 'type'> {
  const colon = text.indexOf(':');
  const destination = insidePath(colon < 0 ? text : text.slice(0, colon), text);
  const mount: { -readonly [Key in keyof TmpfsMount]?: TmpfsMount[Key] } = {};
  const wrong = (option: string): never => {
    throw new UsageError(
      `'${option}' is not an option of --tmpfs`,
      'Known are size=, mode=, uid=, gid=, nr_inodes=, ro, rw, exec, noexec, suid, nosuid, dev, nodev.',
    );
  };
  const options =
    colon < 0
      ? []
      : text
          .slice(colon + 1)
          .split(',')
          .filter(Boolean);
  for (const option of options) {
    const [name, value = ''] = option.split('=');
    switch (name) {
      case 'size':
        mount.size = SIZE.test(value) ? value : wrong(option);
        break;
      case 'nr_inodes':
        mount.nrInodes = SIZE.test(value) ? value : wrong(option);
        break;
      case 'mode':
        mount.mode = MODE.test(value) ? value : wrong(option);
        break;
      case 'uid':
      case 'gid':
        mount[name] = /^\d+$/.test(value) ? Number(value) : wrong(option);
        break;
      case 'ro':
        mount.readonly = true;
        break;
      case 'rw':
        mount.readonly = false;
        break;
      case 'exec':
      case 'suid':
      case 'dev':
        mount[name] = true;
        break;
      case 'noexec':
      case 'nosuid':
      case 'nodev':
        mount[name.slice(2) as 'exec' | 'suid' | 'dev'] = false;
        break;
      default:
        wrong(option);
    }
  }
  return { destination, ...mount };
}
