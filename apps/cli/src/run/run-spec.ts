import path from 'node:path';
import type { RunSpec, Volume } from '@lamella/engine';
import type { TmpfsMount } from '@lamella/namespace';
import { UsageError } from '../usage-error.js';
import { confinement } from './confinement-flags.js';
import { detachKeys } from './detach-keys.js';
import { entriesOfFiles } from './key-value-files.js';
import { life } from './life-flags.js';
import type { RunCommandLine } from './parse-run.js';
import { published } from './published-ports.js';
import { userNamespace } from './user-namespace.js';

/**
 * What a command line asks for.
 *
 * @throws UsageError
 */
export async function runSpec({ flags, image, args }: RunCommandLine): Promise<RunSpec> {
  return {
    image,
    args,
    network: flags.network,
    ...published(flags.publish, flags.network),
    pull: flags.pull,
    tlsVerify: flags['tls-verify'],
    env: environment(flags['env-file'] ?? [], flags.env ?? []),
    volumes: (flags.volume ?? []).map(volume),
    tmpfs: (flags.tmpfs ?? []).map(tmpfs),
    readonlyRoot: flags['read-only'],
    init: flags.init,
    keep: keep(flags),
    ...life(flags),
    ...(await confinement(flags)),
    ...(flags.root === undefined ? {} : { root: path.resolve(flags.root) }),
    ...(flags.workspace === undefined ? {} : { workspace: path.resolve(flags.workspace) }),
    ...(flags.workdir ? { cwd: workdir(flags.workdir) } : {}),
    ...(!flags.userns ? {} : { userns: userNamespace(flags.userns) }),
    ...(!flags.user ? {} : { user: flags.user }),
    ...(flags.hostname ? { hostname: flags.hostname } : {}),
    ...(flags.name ? { name: flags.name.replace(/^\//, '') } : {}),
    ...(flags['detach-keys'] === undefined ? {} : { detachKeys: detachKeys(flags['detach-keys']) }),
    ...(flags.entrypoint === undefined ? {} : { entrypoint: flags.entrypoint === '' ? [] : [flags.entrypoint] }),
  };
}

function keep(flags: RunCommandLine['flags']): boolean {
  if (flags.keep && flags.rm) throw new UsageError('--keep and --rm contradict each other', 'Give one of them.');
  return flags.keep || flags.rm === false;
}

/** What `-w` says. @throws UsageError */
export function workdir(directory: string): string {
  if (!directory.startsWith('/')) throw new UsageError(`the working directory '${directory}' is not an absolute path`, 'Write -w /path/inside.');
  return directory;
}

/** The variables of `--env-file` and `-e`. @throws UsageError */
export function environment(files: readonly string[], entries: readonly string[]): Record<string, string> {
  const env: Record<string, string> = {};
  for (const entry of [...entriesOfFiles(files, 'a variable'), ...entries]) {
    const equals = entry.indexOf('=');
    const name = equals < 0 ? entry : entry.slice(0, equals);
    if (name === '') throw new UsageError(`'${entry}' (-e) does not name a variable`, 'Write NAME=VALUE, or NAME to pass ours on.');
    const value = equals < 0 ? process.env[name] : entry.slice(equals + 1);
    if (value !== undefined) env[name] = value;
  }
  return env;
}

function volume(text: string): Volume {
  const [source = '', destination = '', mode = '', ...more] = text.split(':');
  const hint = 'Write -v /host/path:/path/inside, or with :ro, :overlay or :idmap at its end.';
  if (more.length || !source || !destination.startsWith('/')) throw new UsageError(`'${text}' is not a volume`, hint);
  const options = mode.split(',').filter(Boolean);
  const unknown = options.find((each) => !['ro', 'rw', 'overlay', 'O', 'idmap'].includes(each));
  if (unknown !== undefined) throw new UsageError(`'${unknown}' is not an option of a volume`, 'Known are ro, rw, overlay (O), and idmap.');
  if (!source.includes('/') && source !== '.' && source !== '..')
    throw new UsageError(
      `'${source}' would be a named volume, which Lamella does not have`,
      `For the directory of that name write -v ./${source}:${destination}.`,
    );
  const overlay = options.includes('overlay') || options.includes('O');
  return {
    source: path.resolve(source),
    destination,
    readonly: options.includes('ro'),
    ...(overlay ? { overlay } : {}),
    ...(options.includes('idmap') ? { idmap: true } : {}),
  };
}

const SIZE = /^\d+[kKmMgG%]?$/;

function tmpfs(text: string): Omit<TmpfsMount, 'type'> {
  const colon = text.indexOf(':');
  const destination = colon < 0 ? text : text.slice(0, colon);
  if (!destination.startsWith('/'))
    throw new UsageError(`'${destination}' in --tmpfs is not an absolute path`, 'Write --tmpfs /path/inside:size=64m,mode=1777.');
  const mount: { -readonly [Key in keyof TmpfsMount]?: TmpfsMount[Key] } = {};
  const wrong = (option: string): never => {
    throw new UsageError(
      `'${option}' is not an option of --tmpfs`,
      'Known are size=, mode=, uid=, gid=, nr_inodes=, ro, rw, exec, noexec, suid, nosuid, dev, nodev.',
    );
  };
  for (const option of colon < 0
    ? []
    : text
        .slice(colon + 1)
        .split(',')
        .filter(Boolean)) {
    const [name, value = ''] = option.split('=');
    switch (name) {
      case 'size':
        mount.size = SIZE.test(value) ? value : wrong(option);
        break;
      case 'nr_inodes':
        mount.nrInodes = SIZE.test(value) ? value : wrong(option);
        break;
      case 'mode':
        mount.mode = /^[0-7]{1,4}$/.test(value) ? value : wrong(option);
        break;
      case 'uid':
      case 'gid':
        mount[name] = /^\d+$/.test(value) ? Number(value) : wrong(option);
        break;
      case 'ro':
        mount.readonly = true;
        break;
      case 'exec':
      case 'suid':
      case 'dev':
        mount[name] = true;
        break;
      case 'rw':
      case 'noexec':
      case 'nosuid':
      case 'nodev':
        break;
      default:
        wrong(option);
    }
  }
  return { destination, ...mount };
}
