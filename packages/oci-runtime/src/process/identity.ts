import { readFileSync } from 'node:fs';
import { dropBounding, prctl, raiseAmbient } from '@lamella/namespace';
import { CAPABILITIES, type Op, PR } from '@lamella/syscall';
import type { OciProcess } from '../config/schema.js';
import { withPurpose } from '../errors/op-purposes.js';

type CapabilityName = (typeof CAPABILITIES)[number];
type Sets = NonNullable<OciProcess['capabilities']>;

/** Returns the known names of a capability set. Unknown ones cannot be granted and are warned of (config.md, "capabilities"). */
function knownCapabilities(names: readonly string[] | undefined): CapabilityName[] {
  return (names ?? []).flatMap((name) => {
    const found = CAPABILITIES.find((each) => `CAP_${each}` === name);
    return found ? [found] : [];
  });
}

/** Returns the unknown names of all capability sets. */
export function unknownCapabilities(sets: Sets | undefined): string[] {
  const all = [sets?.bounding, sets?.effective, sets?.inheritable, sets?.permitted, sets?.ambient].flatMap((names) => names ?? []);
  return [...new Set(all.filter((name) => !CAPABILITIES.some((each) => `CAP_${each}` === name)))];
}

/** Returns a set as a bit mask. A shift would overflow above bit 31; a sum of powers is exact up to 2^53. */
function bits(names: readonly CapabilityName[]): number {
  return [...new Set(names)].reduce((sum, name) => sum + 2 ** CAPABILITIES.indexOf(name), 0);
}

/**
 * Returns the capabilities that can be granted: all in a new user namespace, otherwise those of this process. The specification
 * makes other ones a warning, not an error (config.md, "capabilities").
 */
export function grantable(userNamespace: boolean): ReadonlySet<CapabilityName> {
  if (userNamespace) return new Set(CAPABILITIES);
  const own = BigInt(`0x${/^CapPrm:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0'}`);
  return new Set(CAPABILITIES.filter((_, bit) => (own >> BigInt(bit)) & 1n));
}

/** Returns the capability sets that a process gets. */
function setsOf(
  process: OciProcess,
  granted: ReadonlySet<CapabilityName>,
): { readonly permitted: CapabilityName[]; readonly effective: CapabilityName[]; readonly inheritable: CapabilityName[] } {
  const { permitted, effective, inheritable } = process.capabilities ?? {};
  const of = (names: readonly string[] | undefined): CapabilityName[] => knownCapabilities(names).filter((name) => granted.has(name));
  return { permitted: of(permitted), effective: of(effective).filter((name) => of(permitted).includes(name)), inheritable: of(inheritable) };
}

/**
 * Returns the ops that switch to the user of a process. It keeps its permitted capabilities until {@link prepareCapabilities}.
 *
 * @param setgroups whether setgroups(2) is allowed
 */
export function switchUser(process: OciProcess, { setgroups }: { readonly setgroups: boolean }): Op[] {
  const { uid = 0, gid = 0, additionalGids, umask = 0o022 } = process.user ?? {};
  return withPurpose('process.user', [
    ...dropBounding(knownCapabilities(process.capabilities?.bounding)),
    ...(setgroups ? [{ op: 'setgroups', list: additionalGids ?? [] } as const] : []),
    { op: 'setresgid', rgid: gid, egid: gid, sgid: gid },
    prctl(PR.SET_KEEPCAPS, 1),
    { op: 'setresuid', ruid: uid, euid: uid, suid: uid },
    prctl(PR.SET_KEEPCAPS, 0),
    { op: 'umask', mask: umask },
  ]);
}

/**
 * Returns the ops that set the capabilities of a process. With `filtering` it keeps CAP_SYS_ADMIN too, which installing a seccomp
 * filter requires, until {@link setCapabilities}.
 */
export function prepareCapabilities(process: OciProcess, granted: ReadonlySet<CapabilityName>, filtering: boolean): Op[] {
  const { permitted, effective, inheritable } = setsOf(process, granted);
  const more: CapabilityName[] = filtering ? ['SYS_ADMIN'] : [];
  // Ambient capabilities must be permitted and inheritable (capabilities(7)).
  const ambient = knownCapabilities(process.capabilities?.ambient).filter((name) => permitted.includes(name) && inheritable.includes(name));
  return withPurpose('process.capabilities', [
    { op: 'capset', effective: bits([...effective, ...more]), permitted: bits([...permitted, ...more]), inheritable: bits(inheritable) },
    ...ambient.map(raiseAmbient),
  ]);
}

/** Returns the op that leaves exactly the configured capabilities. */
export function setCapabilities(process: OciProcess, granted: ReadonlySet<CapabilityName>): Op[] {
  const { permitted, effective, inheritable } = setsOf(process, granted);
  return withPurpose('process.capabilities', [{ op: 'capset', effective: bits(effective), permitted: bits(permitted), inheritable: bits(inheritable) }]);
}

/** Returns the op that makes all granted capabilities effective again, after the switch to another user. */
export function allCapabilities(granted: ReadonlySet<CapabilityName>): Op {
  const all = bits([...granted]);
  return { op: 'capset', effective: all, permitted: all, inheritable: 0 };
}
