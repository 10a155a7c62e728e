import path from 'node:path';
import type { RunSpec } from '@lamella/engine';
import type { SeccompProfile } from '@lamella/seccomp';
import { FILE_BOUNDS, readNamedText } from '@lamella/syscall';
import { parseCpus, parseInteger, parseSize } from '../command-line/go-values.js';
import { readFailure } from '../errors/read-failure.js';
import { UsageError } from '../errors/usage-error.js';
import type { RunFlags } from './run-flags.js';

type Confinement = Pick<
  RunSpec,
  'capAdd' | 'capDrop' | 'privileged' | 'devices' | 'seccomp' | 'noNewPrivileges' | 'hidepid' | 'rlimits' | 'resources' | 'shmSize' | 'oomScoreAdj'
>;

/**
 * What the flags say of what a container may do.
 *
 * @throws UsageError
 */
export async function confinement(flags: RunFlags): Promise<Confinement> {
  return {
    ...(flags['cap-add'] ? { capAdd: flags['cap-add'].map(capability) } : {}),
    ...(flags['cap-drop'] ? { capDrop: flags['cap-drop'].map(capability) } : {}),
    ...(flags.privileged ? { privileged: true } : {}),
    ...(flags.device ? { devices: flags.device.map(device) } : {}),
    ...Object.assign({}, ...(await Promise.all((flags['security-opt'] ?? []).map(securityOption)))),
    ...limits(flags),
    ...(flags.ulimit ? { rlimits: lastOfEach(flags.ulimit.map(ulimit)) } : {}),
    ...shmSize(flags['shm-size']),
    ...(flags['oom-score-adj'] === undefined ? {} : { oomScoreAdj: score(flags['oom-score-adj']) }),
  };
}

/** The engine knows which values are possible; here they become numbers. With Docker 0 is no limit of anything. */
function limits(flags: RunFlags): Pick<RunSpec, 'resources'> {
  const number = (flag: 'cpus' | 'cpu-shares' | 'pids-limit' | 'blkio-weight', parse: (text: string) => number | undefined): number | undefined => {
    const text = flags[flag];
    if (text === undefined) return undefined;
    const value = parse(text);
    if (value === undefined) throw new UsageError(`'${text}' is not a value of --${flag}`, `Write --${flag} ${flag === 'cpus' ? '1.5' : 'NUMBER'}.`);
    return value;
  };
  const memory = flags.memory === undefined ? undefined : parseSizeFlag(flags.memory, '--memory') || undefined;
  const swap = flags['memory-swap'];
  const pids = number('pids-limit', parseInteger);
  const given = {
    memory,
    // Without a limit on memory there is none on swap.
    memorySwap: swap === undefined ? undefined : swap === '-1' ? memory && -1 : parseSizeFlag(swap, '--memory-swap') || undefined,
    cpus: number('cpus', parseCpus) || undefined,
    cpuShares: number('cpu-shares', parseInteger) || undefined,
    cpusetCpus: flags['cpuset-cpus'] || undefined,
    pidsLimit: pids !== undefined && pids <= 0 ? -1 : pids,
    blkioWeight: number('blkio-weight', parseInteger) || undefined,
  };
  const resources = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  return Object.keys(resources).length ? { resources } : {};
}

/** A size on the command line, as Docker reads one. @throws UsageError */
export function parseSizeFlag(text: string, flag: string): number {
  const value = parseSize(text);
  if (value === undefined) throw new UsageError(`'${text}' is not a size`, `Write ${flag}${flag.endsWith('=') ? '' : ' '}512m; units are b, k, m, g, t and p.`);
  return value;
}

function shmSize(text: string | undefined): Pick<RunSpec, 'shmSize'> {
  // Nothing is the default, with Docker too; for tmpfs it would be no limit.
  const value = text === undefined ? 0 : parseSizeFlag(text, '--shm-size');
  return value ? { shmSize: String(value) } : {};
}

/** `cap_net_admin`, `NET_ADMIN` and `CAP_NET_ADMIN` are one. The engine knows which there are. */
function capability(name: string): never {
  return name.toUpperCase().replace(/^CAP_/, '') as never;
}

function device(text: string): { source: string; destination?: string } {
  const [source = '', second, third, ...more] = text.split(':');
  const hint = 'Write --device /dev/name, or --device /dev/name:/dev/inside.';
  const isMode = (word: string | undefined): boolean => word !== undefined && /^[rwm]+$/.test(word);
  const destination = isMode(second) ? undefined : second;
  const mode = isMode(second) ? second : third;
  if (more.length || !source.startsWith('/') || (third !== undefined && !isMode(third)) || destination === '')
    throw new UsageError(`'${text}' is not a device`, hint);
  if (mode !== undefined && !(mode.includes('r') && mode.includes('w')))
    throw new UsageError(`the permissions '${mode}' of the device ${source} cannot be enforced`, 'A device is given whole (rw or rwm), or not at all.');
  return { source, ...(destination === undefined ? {} : { destination }) };
}

async function securityOption(text: string): Promise<Partial<Confinement>> {
  const [, name = '', value] = /^([^=:]+)(?:[=:](.*))?$/.exec(text) ?? [];
  switch (name) {
    case 'no-new-privileges':
      if (value !== undefined && value !== 'true' && value !== 'false')
        throw new UsageError(`'${value}' is neither true nor false`, 'Write --security-opt no-new-privileges=false to allow set-user-id programs.');
      return { noNewPrivileges: value !== 'false' };
    case 'seccomp':
      if (!value) throw new UsageError('--security-opt seccomp= names no profile', 'Write seccomp=FILE, or seccomp=unconfined.');
      return value === 'builtin' ? {} : { seccomp: value === 'unconfined' ? 'unconfined' : await profile(value) };
    case 'proc-opts': {
      const hidepid = /^hidepid=([012])$/.exec(value ?? '')?.[1];
      if (hidepid === undefined) throw new UsageError(`'${value ?? ''}' is not an option of /proc`, 'Write --security-opt proc-opts=hidepid=2.');
      return { hidepid: Number(hidepid) as 0 | 1 | 2 };
    }
    default:
      throw new UsageError(
        `'${text}' is not a security option`,
        'Known are seccomp=FILE|unconfined|builtin, no-new-privileges[=true|false] and proc-opts=hidepid=N.',
      );
  }
}

async function profile(file: string): Promise<SeccompProfile> {
  let text: string;
  try {
    text = readNamedText(file, FILE_BOUNDS.profile);
  } catch (error) {
    throw new UsageError(`the seccomp profile ${file} cannot be read: ${readFailure(error)}`, 'Check the path and its permissions.');
  }
  const { parseProfile } = await import('@lamella/seccomp');
  return parseProfile(text, path.resolve(file));
}

/** A limit that is given again replaces the one before. */
function lastOfEach<Limit extends { readonly name: string }>(limits: readonly Limit[]): Limit[] {
  return [...new Map(limits.map((each) => [each.name, each])).values()];
}

function ulimit(text: string): { name: string; soft: number; hard: number } {
  const [, name = '', first = '', second = first] = /^([a-z]+)=(-1|\d+|unlimited)(?::(-1|\d+|unlimited))?$/.exec(text) ?? [];
  const [soft, hard] = [first, second].map((value) => (value === 'unlimited' ? -1 : Number(value))) as [number, number];
  if (!name) throw new UsageError(`'${text}' is not a resource limit`, 'Write --ulimit nofile=1024:4096; -1 is no limit.');
  if (hard !== -1 && (soft === -1 || soft > hard)) throw new UsageError(`the soft limit in '${text}' is above the hard one`, 'Write --ulimit NAME=SOFT:HARD.');
  return { name, soft, hard };
}

function score(text: string): number {
  const number = parseInteger(text);
  if (number === undefined || number < -1000 || number > 1000)
    throw new UsageError(`'${text}' is no oom_score_adj`, 'It is a whole number from -1000 to 1000.');
  return number;
}
