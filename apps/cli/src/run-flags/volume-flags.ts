import path from 'node:path';
import type { RunSpec, Volume } from '@lamella/engine';
import type { TmpfsMount } from '@lamella/namespace';
import { UsageError } from '../errors/usage-error.js';
import { parseSizeFlag as sizeOf } from './confinement-flags.js';
import { csvFields } from './csv-fields.js';
import type { RunFlags } from './run-flags.js';

/** The mounts of `-v`, `--mount` and `--tmpfs`. */
export type RequestedMounts = Required<Pick<RunSpec, 'volumes' | 'tmpfs' | 'anonymousVolumes'>>;

/** Mounts while they are collected. */
interface Asked {
  readonly volumes: Volume[];
  readonly tmpfs: Omit<TmpfsMount, 'type'>[];
  readonly anonymousVolumes: string[];
}

/** Parses `-v`, `--mount` and `--tmpfs`. @throws UsageError */
export function requestedMounts(flags: Pick<RunFlags, 'volume' | 'mount' | 'tmpfs'>): RequestedMounts {
  const asked: Asked = { volumes: [], tmpfs: (flags.tmpfs ?? []).map(tmpfs), anonymousVolumes: [] };
  for (const text of flags.volume ?? []) volume(text, asked);
  for (const text of flags.mount ?? []) mount(text, asked);
  return asked;
}

const VOLUME_HINT = 'Use -v /host/path:/path/inside[:OPTIONS]. For a path with a colon: --mount type=bind,src=PATH,dst=PATH';

/** Options by kind. A volume has at most one option of each kind. */
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

/** Parses `[SRC:]DST[:OPTIONS]`. */
function volume(text: string, asked: Asked): void {
  const [first = '', second, mode, ...more] = text.split(':');
  if (second === undefined) {
    anonymous(first, asked, text);
    return;
  }
  if (more.length || !first || mode === '' || !second.startsWith('/')) throw new UsageError(`invalid volume '${text}'`, VOLUME_HINT);
  if (!first.includes('/') && first !== '.' && first !== '..')
    throw new UsageError(
      `named volumes are not supported: '${first}'`,
      `For the directory of that name: -v ./${first}:${second}. For an anonymous volume: -v ${second}`,
    );
  asked.volumes.push({ source: path.resolve(first), destination: insidePath(second, text), ...volumeOptions(mode?.split(',') ?? []) });
}

function volumeOptions(options: readonly string[]): Omit<Volume, 'source' | 'destination'> {
  const given = new Map<string, string>();
  for (const option of options) {
    const kind = KINDS[option];
    if (option === 'U')
      throw new UsageError(
        'the volume option U is not supported, because it changes owners on the host',
        'Use idmap, which maps the owners inside the container only.',
      );
    if (kind === undefined)
      throw new UsageError(
        `invalid volume option '${option}'`,
        'Use ro, rw, overlay (O), idmap, rslave or rprivate. z, Z, cached, delegated, consistent and nocopy are ignored.',
      );
    const earlier = given.get(kind);
    if (earlier !== undefined) throw new UsageError(`the volume options ${earlier} and ${option} cannot be used together`, 'Remove one of them.');
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
      throw new UsageError(`the propagation ${option} is not supported: mounts of a container stay in it`, 'Use rslave to receive later mounts of the host.');
    default:
      throw new UsageError(`invalid propagation '${option}'`, 'Use rprivate or rslave.');
  }
}

function anonymous(destination: string, asked: Asked, text: string): void {
  if (!destination.startsWith('/')) throw new UsageError(`invalid volume '${text}'`, VOLUME_HINT);
  asked.anonymousVolumes.push(insidePath(destination, text));
}

/** Checks a path inside the container. @throws UsageError */
function insidePath(destination: string, text: string): string {
  if (!destination.startsWith('/'))
    throw new UsageError(`the destination '${destination}' in '${text}' is not an absolute path`, 'Use a path that begins with a slash.');
  if (path.posix.resolve(destination) === '/') throw new UsageError(`the destination of '${text}' cannot be /`, 'Use a directory below it.');
  return destination;
}

/** The keys of each type of --mount, beside its target. Other keys are errors, so that none is ignored. */
const TYPES: Readonly<Record<string, readonly string[]>> = {
  bind: ['source', 'readonly', 'consistency', 'overlay', 'idmap', 'bind-propagation', 'bind-nonrecursive', 'bind-recursive'],
  tmpfs: ['source', 'readonly', 'consistency', 'tmpfs-size', 'tmpfs-mode'],
  volume: ['source', 'consistency', 'volume-nocopy'],
};

/** Parses `type=bind,src=PATH,dst=PATH[,…]`, with the keys of docker-run(1). */
function mount(text: string, asked: Asked): void {
  const fields = csvFields(text);
  if (!fields) throw new UsageError(`invalid quotes in --mount '${text}'`, 'Put quotes around the whole field: "dst=/a,b".');
  const given = new Map<string, string | undefined>();
  for (const field of fields) {
    const equals = field.indexOf('=');
    const key = canonicalKey((equals < 0 ? field : field.slice(0, equals)).toLowerCase(), text);
    if (given.has(key)) throw new UsageError(`--mount '${text}' sets ${key} twice`, 'Remove one of them.');
    given.set(key, equals < 0 ? undefined : field.slice(equals + 1));
  }
  const type = given.get('type') ?? 'volume';
  given.delete('type');
  const keys = Object.hasOwn(TYPES, type) ? TYPES[type] : undefined;
  if (!keys) throw new UsageError(`invalid type '${type}' for --mount`, `Use one of ${Object.keys(TYPES).join(', ')}.`);
  const value = (key: string): string | undefined => {
    const found = given.get(key);
    if (given.has(key) && !found) throw new UsageError(`--mount '${text}' has no value for ${key}`, `Use ${key}=VALUE.`);
    return found;
  };
  const isSet = (key: string): boolean => given.has(key) && flag(given.get(key), key);
  const isUnread = (key: string): boolean => key !== 'target' && !keys.includes(key) && !(key === 'readonly' && !isSet(key));
  const wrongType = [...given.keys()].find(isUnread);
  if (wrongType !== undefined)
    throw new UsageError(
      `--mount with type=${type} does not support ${wrongType}`,
      type === 'volume' ? 'Use type=bind,readonly for a directory of the host.' : 'See lamella run --help.',
    );
  const source = value('source');
  const target = value('target');
  if (target === undefined) throw new UsageError(`--mount '${text}' has no destination`, 'Add dst=/path/inside.');
  const destination = insidePath(target, text);
  switch (type) {
    case 'bind': {
      if (source === undefined) throw new UsageError(`--mount '${text}' has no source`, 'Add src=/host/path.');
      if (!source.startsWith('/') && !/^\.{1,2}(?:\/|$)/.test(source))
        throw new UsageError(`the source '${source}' of --mount is not an absolute path`, `For a path in the working directory use src=./${source}.`);
      const recursive = value('bind-recursive') ?? (isSet('bind-nonrecursive') ? 'disabled' : 'enabled');
      if (!['enabled', 'disabled', 'readonly'].includes(recursive))
        throw new UsageError(`invalid value '${recursive}' for bind-recursive`, 'Use enabled, disabled or readonly.');
      if (recursive === 'readonly' && !isSet('readonly'))
        throw new UsageError('bind-recursive=readonly requires readonly', 'Add readonly. It applies to all mounts below.');
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
      if (source !== undefined) throw new UsageError('--mount with type=tmpfs does not support src', 'Remove src, or use type=bind.');
      asked.tmpfs.push({ destination, ...tmpfsKeys(value('tmpfs-size'), value('tmpfs-mode')), ...(isSet('readonly') ? { readonly: true } : {}) });
      return;
    default:
      if (source !== undefined)
        throw new UsageError(
          `named volumes are not supported: '${source}'`,
          'Use type=bind for a directory of the host, or remove src for an anonymous volume.',
        );
      anonymous(destination, asked, text);
  }
}

function tmpfsKeys(size: string | undefined, mode: string | undefined): Pick<TmpfsMount, 'size' | 'mode'> {
  if (mode !== undefined && !MODE.test(mode)) throw new UsageError(`invalid value '${mode}' for tmpfs-mode`, 'Use an octal mode, such as 1777.');
  return { ...(size === undefined ? {} : { size: String(sizeOf(size, 'tmpfs-size=')) }), ...(mode === undefined ? {} : { mode }) };
}

/** Docker's aliases of keys. */
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
    `invalid key '${key}' in --mount '${text}'`,
    'Use type, src, dst, ro, overlay, idmap, bind-propagation, bind-recursive, tmpfs-size or tmpfs-mode.',
  );
}

/** Parses a boolean key. Without a value it is true. */
function flag(value: string | undefined, key: string): boolean {
  if (value === undefined || ['1', 't', 'T', 'true', 'TRUE', 'True'].includes(value)) return true;
  if (['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(value)) return false;
  throw new UsageError(`invalid value '${value}' for ${key} of --mount`, 'Use true or false.');
}

const SIZE = /^\d+[kKmMgGtTpPeE%]?$/;
const MODE = /^0*[0-7]{1,4}$/;

function tmpfs(text: string): Omit<TmpfsMount, 'type'> {
  const colon = text.indexOf(':');
  const destination = insidePath(colon < 0 ? text : text.slice(0, colon), text);
  const mount: { -readonly [Key in keyof TmpfsMount]?: TmpfsMount[Key] } = {};
  const wrong = (option: string): never => {
    throw new UsageError(`invalid tmpfs option '${option}'`, 'Use size=, mode=, uid=, gid=, nr_inodes=, ro, rw, exec, noexec, suid, nosuid, dev or nodev.');
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
