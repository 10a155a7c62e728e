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
 * Returns the capabilities, devices, limits and security options of the flags.
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

/** Parses the limits. The engine checks their range. As with Docker 0 means no limit. */
function limits(flags: RunFlags): Pick<RunSpec, 'resources'> {
  const number = (flag: 'cpus' | 'cpu-shares' | 'pids-limit' | 'blkio-weight', parse: (text: string) => number | undefined): number | undefined => {
    const text = flags[flag];
    if (text === undefined) return undefined;
    const value = parse(text);
    if (value === undefined) throw new UsageError(`invalid value '${text}' for --${flag}`, `Use a number: --${flag} ${flag === 'cpus' ? '1.5' : 'NUMBER'}`);
    return value;
  };
  const memory = flags.memory === undefined ? undefined : parseSizeFlag(flags.memory, '--memory') || undefined;
  const swap = flags['memory-swap'];
  const pids = number('pids-limit', parseInteger);
  const given = {
    memory,
    // A swap limit requires a memory limit.
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

/** Parses a size as Docker does. @returns bytes @throws UsageError */
export function parseSizeFlag(text: string, flag: string): number {
  const value = parseSize(text);
  if (value === undefined)
    throw new UsageError(`invalid size '${text}'`, `Use a size such as ${flag}${flag.endsWith('=') ? '' : ' '}512m. Units: b, k, m, g, t, p.`);
  return value;
}

function shmSize(text: string | undefined): Pick<RunSpec, 'shmSize'> {
  // As with Docker 0 means the default. For tmpfs it would mean no limit.
  const value = text === undefined ? 0 : parseSizeFlag(text, '--shm-size');
  return value ? { shmSize: String(value) } : {};
}

/** Returns the name of a capability: `cap_net_admin`, `NET_ADMIN` and `CAP_NET_ADMIN` are the same. The engine checks it. */
function capability(name: string): never {
  return name.toUpperCase().replace(/^CAP_/, '') as never;
}

function device(text: string): { source: string; destination?: string } {
  const [source = '', second, third, ...more] = text.split(':');
  const hint = 'Use --device /dev/NAME, or --device /dev/NAME:/dev/INSIDE.';
  const isMode = (word: string | undefined): boolean => word !== undefined && /^[rwm]+$/.test(word);
  const destination = isMode(second) ? undefined : second;
  const mode = isMode(second) ? second : third;
  if (more.length || !source.startsWith('/') || (third !== undefined && !isMode(third)) || destination === '')
    throw new UsageError(`invalid device '${text}'`, hint);
  if (mode !== undefined && !(mode.includes('r') && mode.includes('w')))
    throw new UsageError(`the permissions '${mode}' of the device ${source} are not supported`, 'Use rw or rwm.');
  return { source, ...(destination === undefined ? {} : { destination }) };
}

async function securityOption(text: string): Promise<Partial<Confinement>> {
  const [, name = '', value] = /^([^=:]+)(?:[=:](.*))?$/.exec(text) ?? [];
  switch (name) {
    case 'no-new-privileges':
      if (value !== undefined && value !== 'true' && value !== 'false')
        throw new UsageError(
          `invalid value '${value}' for no-new-privileges`,
          'Use true or false: --security-opt no-new-privileges=false allows set-user-ID programs.',
        );
      return { noNewPrivileges: value !== 'false' };
    case 'seccomp':
      if (!value) throw new UsageError('--security-opt seccomp= has no profile', 'Use seccomp=FILE, or seccomp=unconfined.');
      return value === 'builtin' ? {} : { seccomp: value === 'unconfined' ? 'unconfined' : await profile(value) };
    case 'proc-opts': {
      const hidepid = /^hidepid=([012])$/.exec(value ?? '')?.[1];
      if (hidepid === undefined) throw new UsageError(`invalid value '${value ?? ''}' for proc-opts`, 'Use --security-opt proc-opts=hidepid=2.');
      return { hidepid: Number(hidepid) as 0 | 1 | 2 };
    }
    default:
      throw new UsageError(`invalid security option '${text}'`, 'Use seccomp=FILE|unconfined|builtin, no-new-privileges[=true|false] or proc-opts=hidepid=N.');
  }
}

async function profile(file: string): Promise<SeccompProfile> {
  let text: string;
  try {
    text = readNamedText(file, FILE_BOUNDS.profile);
  } catch (error) {
    throw new UsageError(`cannot read the seccomp profile ${file}: ${readFailure(error)}`, 'Check the path and its permissions.');
  }
  const { parseProfile } = await import('@lamella/seccomp');
  return parseProfile(text, path.resolve(file));
}

/** Returns the last of several limits with the same name. */
function lastOfEach<Limit extends { readonly name: string }>(limits: readonly Limit[]): Limit[] {
  return [...new Map(limits.map((each) => [each.name, each])).values()];
}

function ulimit(text: string): { name: string; soft: number; hard: number } {
  const [, name = '', first = '', second = first] = /^([a-z]+)=(-1|\d+|unlimited)(?::(-1|\d+|unlimited))?$/.exec(text) ?? [];
  const [soft, hard] = [first, second].map((value) => (value === 'unlimited' ? -1 : Number(value))) as [number, number];
  if (!name) throw new UsageError(`invalid ulimit '${text}'`, 'Use NAME=SOFT[:HARD], such as --ulimit nofile=1024:4096. -1 means unlimited.');
  if (hard !== -1 && (soft === -1 || soft > hard)) throw new UsageError(`the soft limit of '${text}' exceeds the hard limit`, 'Use --ulimit NAME=SOFT:HARD.');
  return { name, soft, hard };
}

function score(text: string): number {
  const number = parseInteger(text);
  if (number === undefined || number < -1000 || number > 1000)
    throw new UsageError(`invalid value '${text}' for --oom-score-adj`, 'Use an integer from -1000 to 1000.');
  return number;
}
