import { type Dirent, lstatSync, readdirSync, readFileSync, type Stats } from 'node:fs';
import { release } from 'node:os';
import path from 'node:path';
import { type CapabilityName, DEFAULT_CAPABILITIES, type DeviceNode, type ProcessSpec } from '@lamella/namespace';
import type { SeccompFilter, SeccompProfile } from '@lamella/seccomp';
import { DEFAULT_FILTERS } from '@lamella/seccomp/default-filter';
import { CAPABILITIES } from '@lamella/syscall';
import { unreachable } from '../filesystem/host/host-paths.js';
import type { Device } from '../model/device.js';
import { EngineError } from '../model/engine-error.js';
import type { RunSpec } from '../model/run-spec.js';
import type { Sources } from '../model/source.js';

/** The parts of a process spec that confine it. */
export type Confinement = Pick<ProcessSpec, 'capabilities' | 'ambient' | 'seccomp' | 'masks' | 'noNewPrivileges'>;

/**
 * Decides what a container may do.
 *
 * @throws EngineError `CAPABILITY_UNKNOWN`, `CAPABILITY_MISSING`; SeccompError
 */
export async function confinement(spec: RunSpec): Promise<Confinement> {
  const capabilities = capabilitiesOf(spec);
  const unconfined = spec.seccomp === 'unconfined' || (spec.privileged && spec.seccomp === undefined);
  const profile = spec.seccomp === undefined || spec.seccomp === 'unconfined' ? undefined : spec.seccomp;
  return {
    capabilities,
    ambient: spec.privileged
      ? capabilities
      : (spec.capAdd ?? []).flatMap((name) => (name === 'ALL' ? capabilities : capabilities.filter((each) => each === name))),
    masks: !spec.privileged,
    ...(unconfined ? {} : { seccomp: profile ? await compile(profile, capabilities) : await defaultFilter(capabilities) }),
    noNewPrivileges: spec.noNewPrivileges ?? !spec.privileged,
  };
}

const filters = new Map<string, SeccompFilter>();

/** The default profile is compiled once for each set of capabilities; for the default set long before. */
async function defaultFilter(capabilities: readonly CapabilityName[]): Promise<Pick<SeccompFilter, 'filter' | 'flags'>> {
  const ready = capabilities === DEFAULT_CAPABILITIES ? DEFAULT_FILTERS[process.arch] : undefined;
  if (ready) return { filter: ready, flags: 0 };
  const key = capabilities.join();
  const known = filters.get(key);
  if (known) return known;
  const { DEFAULT_PROFILE } = await import('@lamella/seccomp');
  const filter = await compile(DEFAULT_PROFILE, capabilities);
  filters.set(key, filter);
  return filter;
}

async function compile(profile: SeccompProfile, capabilities: readonly CapabilityName[]): Promise<SeccompFilter> {
  // A run with the default filter does without the compiler.
  const { compileProfile } = await import('@lamella/seccomp');
  return compileProfile(profile, { capabilities, kernel: release() });
}

/** As Docker reckons: what is dropped goes from the default set, or from all; what is added comes last. */
function capabilitiesOf({ capAdd = [], capDrop = [], privileged }: RunSpec): readonly CapabilityName[] {
  for (const name of [...capAdd, ...capDrop])
    if (name !== 'ALL' && !(CAPABILITIES as readonly string[]).includes(name))
      throw new EngineError({
        code: 'CAPABILITY_UNKNOWN',
        message: `there is no capability '${name}'`,
        hint: 'capabilities(7) lists them; ALL stands for all.',
      });
  if (!capAdd.length && !capDrop.length && !privileged) return DEFAULT_CAPABILITIES;
  const ours = available();
  for (const name of capAdd)
    if (name !== 'ALL' && !ours.has(name))
      throw new EngineError({
        code: 'CAPABILITY_MISSING',
        message: `the capability ${name} cannot be given: this process does not have it itself`,
        hint: 'CapEff in /proc/self/status tells what it has.',
      });
  const base = privileged || capAdd.includes('ALL') ? CAPABILITIES : capDrop.includes('ALL') ? [] : DEFAULT_CAPABILITIES;
  const dropped = (name: CapabilityName): boolean => capDrop.includes(name);
  return CAPABILITIES.filter((name) => (base.includes(name) && ours.has(name) && !dropped(name)) || (capAdd.includes(name) && !dropped(name)));
}

/** Root can give the capabilities that it has; in a new user namespace every user has all of them. */
function available(): ReadonlySet<string> {
  if (process.geteuid?.() !== 0) return new Set(CAPABILITIES);
  const mask = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0'}`);
  return new Set(CAPABILITIES.filter((_, i) => (mask >> BigInt(i)) & 1n));
}

/**
 * The devices of the host that a container gets beside the standard ones; all of them when it is privileged.
 *
 * @throws EngineError `DEVICE_INVALID`
 */
export function devicesOf({ devices = [], privileged }: RunSpec, sources: Sources): readonly DeviceNode[] {
  return [...(privileged ? allDevices() : []), ...devices.flatMap((device) => deviceNodes(device, sources))];
}

function deviceNodes({ source: asked, destination = asked }: Device, sources: Sources): DeviceNode[] {
  // Where it was found when the container was made.
  const source = sources.get(asked)?.path ?? asked;
  const fail = (message: string, hint: string): never => {
    throw new EngineError({ code: 'DEVICE_INVALID', message, hint });
  };
  const inside = path.posix.resolve('/', destination);
  if (!inside.startsWith('/dev/')) fail(`the device ${source} cannot become '${destination}'`, 'Devices live below /dev.');
  let stat: Stats;
  try {
    stat = lstatSync(source);
  } catch (error) {
    return fail(`the device ${source} cannot be used: ${(error as NodeJS.ErrnoException).code}`, 'Check the path.');
  }
  const name = inside.slice('/dev/'.length);
  if (stat.isDirectory()) return below(source, `${name}/`);
  const expected = sources.get(asked)?.identity;
  const found = node(source, name, stat);
  if (found) return [{ ...found, ...(expected ? { expected } : {}) }];
  return fail(`${source} is not a device`, 'Files and directories of the host are shown by volumes (-v).');
}

/** Those that are the container's own are not the host's. */
const OWN: ReadonlySet<string> = new Set(['pts', 'shm', 'mqueue', 'ptmx', 'console', 'tty']);

function allDevices(): DeviceNode[] {
  return readdirSync('/dev', { withFileTypes: true }).flatMap((entry) => (OWN.has(entry.name) ? [] : devicesIn(entry, '/dev', '')));
}

/** The devices in a directory of them, such as /dev/snd. @param prefix its own name, with a slash at the end */
function below(directory: string, prefix: string): DeviceNode[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => devicesIn(entry, directory, prefix));
}

/** What of a directory is a device, or holds some. What went meanwhile, or is closed to this user, is none. */
function devicesIn(entry: Dirent, directory: string, prefix: string): DeviceNode[] {
  const source = path.join(directory, entry.name);
  const name = `${prefix}${entry.name}`;
  try {
    if (entry.isDirectory()) return below(source, `${name}/`);
    const found = entry.isCharacterDevice() || entry.isBlockDevice() ? node(source, name, lstatSync(source)) : undefined;
    return found ? [found] : [];
  } catch (error) {
    return unreachable(error) ?? [];
  }
}

/** The kernel's encoding of a device number, undone (new_decode_dev). */
function node(source: string, name: string, stat: Stats): DeviceNode | undefined {
  if (!stat.isCharacterDevice() && !stat.isBlockDevice()) return undefined;
  const major = (stat.rdev >> 8) & 0xfff;
  const minor = (stat.rdev & 0xff) | ((stat.rdev >> 12) & 0xfff00);
  return { source, name, type: stat.isBlockDevice() ? 'block' : 'character', major, minor, mode: stat.mode & 0o777, uid: stat.uid, gid: stat.gid };
}
