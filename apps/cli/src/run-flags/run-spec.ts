import path from 'node:path';
import type { RunSpec } from '@lamella/engine';
import { UsageError } from '../errors/usage-error.js';
import { parseDetachKeys } from '../terminal/detach-keys.js';
import { confinement } from './confinement-flags.js';
import { readKeyValueFiles } from './key-value-files.js';
import { lifecycle } from './lifecycle-flags.js';
import type { RunCommandLine } from './parse-run.js';
import { publishedPorts } from './publish-flag.js';
import { parseUserns } from './userns-flag.js';
import { requestedMounts } from './volume-flags.js';

/**
 * Returns the specification of a run for a command line.
 *
 * @throws UsageError
 */
export async function buildRunSpec({ flags, image, args }: RunCommandLine): Promise<RunSpec> {
  return {
    image,
    args,
    network: flags.network,
    ...publishedPorts(flags.publish, flags.network),
    pull: flags.pull,
    ...(flags.platform === undefined ? {} : { platform: flags.platform }),
    tlsVerify: flags['tls-verify'],
    env: environment(flags['env-file'] ?? [], flags.env ?? []),
    ...requestedMounts(flags),
    readonlyRoot: flags['read-only'],
    init: flags.init,
    keep: keep(flags),
    ...lifecycle(flags),
    ...(await confinement(flags)),
    ...(flags.root === undefined ? {} : { root: path.resolve(flags.root) }),
    ...(flags.workspace === undefined ? {} : { workspace: path.resolve(flags.workspace) }),
    ...(flags.workdir ? { cwd: workdir(flags.workdir) } : {}),
    ...(!flags.userns ? {} : { userns: parseUserns(flags.userns) }),
    ...(!flags.user ? {} : { user: flags.user }),
    ...(flags.hostname ? { hostname: flags.hostname } : {}),
    ...(flags.name ? { name: flags.name.replace(/^\//, '') } : {}),
    ...(flags['detach-keys'] === undefined ? {} : { detachKeys: parseDetachKeys(flags['detach-keys']) }),
    ...(flags.entrypoint === undefined ? {} : { entrypoint: flags.entrypoint === '' ? [] : [flags.entrypoint] }),
  };
}

function keep(flags: RunCommandLine['flags']): boolean {
  if (flags.keep && flags.rm) throw new UsageError('--keep and --rm cannot be used together', 'Remove one of them.');
  return flags.keep || flags.rm === false;
}

/** Checks the value of `--workdir`. @throws UsageError */
export function workdir(directory: string): string {
  if (!directory.startsWith('/')) throw new UsageError(`the working directory '${directory}' is not an absolute path`, 'Use -w /path/inside.');
  return directory;
}

/** Returns the variables of `--env-file` and `--env`. @throws UsageError */
export function environment(files: readonly string[], entries: readonly string[]): Record<string, string> {
  const env: Record<string, string> = {};
  for (const entry of [...readKeyValueFiles(files, 'a variable'), ...entries]) {
    const equals = entry.indexOf('=');
    const name = equals < 0 ? entry : entry.slice(0, equals);
    if (name === '') throw new UsageError(`invalid environment variable '${entry}'`, "Use -e NAME=VALUE, or -e NAME to pass the caller's value.");
    const value = equals < 0 ? process.env[name] : entry.slice(equals + 1);
    if (value !== undefined) env[name] = value;
  }
  return env;
}
