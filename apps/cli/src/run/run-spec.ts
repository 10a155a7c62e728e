import path from 'node:path';
import type { RunSpec } from '@lamella/engine';
import { FILE_BOUNDS, readNamedText } from '@lamella/syscall';
import { UsageError } from '../usage-error.js';
import { confinement } from './confinement-flags.js';
import { detachKeys } from './detach-keys.js';
import { life } from './life-flags.js';
import type { RunCommandLine } from './parse-run.js';
import { published } from './published-ports.js';
import { userNamespace } from './user-namespace.js';
import { askedMounts } from './volume-flags.js';
import { whyUnread } from './why-unread.js';

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
    ...published(flags),
    pull: flags.pull,
    ...(flags.platform === undefined ? {} : { platform: flags.platform }),
    tlsVerify: flags['tls-verify'],
    env: environment(flags['env-file'] ?? [], flags.env ?? []),
    ...askedMounts(flags),
    readonlyRoot: flags['read-only'],
    init: flags.init,
    keep: keep(flags),
    ...life(flags),
    ...(await confinement(flags)),
    ...(flags.root === undefined ? {} : { root: path.resolve(flags.root) }),
    ...(flags.workspace === undefined ? {} : { workspace: path.resolve(flags.workspace) }),
    ...(flags.workdir === undefined ? {} : { cwd: workdir(flags.workdir) }),
    ...(flags.userns === undefined ? {} : { userns: userNamespace(flags.userns) }),
    ...(flags.user === undefined ? {} : { user: flags.user }),
    ...(flags.hostname === undefined ? {} : { hostname: flags.hostname }),
    ...(flags.name === undefined ? {} : { name: flags.name }),
    ...(flags['detach-keys'] === undefined ? {} : { detachKeys: detachKeys(flags['detach-keys']) }),
    ...(flags.entrypoint === undefined ? {} : { entrypoint: flags.entrypoint === '' ? [] : [flags.entrypoint] }),
  };
}

function keep(flags: RunCommandLine['flags']): boolean {
  if (flags.keep && flags.rm) throw new UsageError('--keep and --rm contradict each other', 'Give one of them.');
  return flags.keep;
}

/** What `-w` says. @throws UsageError */
export function workdir(directory: string): string {
  if (!directory.startsWith('/')) throw new UsageError(`the working directory '${directory}' is not an absolute path`, 'Write -w /path/inside.');
  return directory;
}

/** The variables of `--env-file` and `-e`. @throws UsageError */
export function environment(files: readonly string[], entries: readonly string[]): Record<string, string> {
  const env: Record<string, string> = {};
  for (const file of files) {
    let text: string;
    try {
      text = readNamedText(file, FILE_BOUNDS.environment);
    } catch (error) {
      throw new UsageError(`the environment file ${file} cannot be read: ${whyUnread(error)}`, 'Check the path and its permissions.');
    }
    for (const [number, line] of text.split('\n').entries()) {
      const entry = line.replace(/\r$/, '').trimStart();
      if (entry && !entry.startsWith('#')) assign(env, entry, `line ${number + 1} of ${file}`);
    }
  }
  for (const entry of entries) assign(env, entry, '-e');
  return env;
}

/** `NAME=VALUE`, or `NAME` to pass ours on when there is one. */
function assign(env: Record<string, string>, entry: string, where: string): void {
  const equals = entry.indexOf('=');
  const name = equals < 0 ? entry : entry.slice(0, equals);
  if (name === '' || /\s/.test(name)) throw new UsageError(`'${entry}' (${where}) does not name a variable`, 'Write NAME=VALUE or NAME.');
  const value = equals < 0 ? process.env[name] : entry.slice(equals + 1);
  if (value !== undefined) env[name] = value;
}
