import { endianness } from 'node:os';
import { ImageError } from '../model/image-error.js';
import type { Platform } from '../model/platform.js';
import type { OciDescriptor } from '../store/oci-schema.js';

/** What Node calls architectures, and what Go does, whose words images use. */
const OF_NODE: Readonly<Record<string, string>> = {
  x64: 'amd64',
  ia32: '386',
  mipsel: 'mipsle',
  ppc64: endianness() === 'LE' ? 'ppc64le' : 'ppc64',
};
/** Go's syslist, as containerd has it: a word alone is one of these. */
const SYSTEMS = 'aix android darwin dragonfly freebsd hurd illumos ios js linux nacl netbsd openbsd plan9 solaris windows zos'.split(' ');
const ARCHITECTURES =
  '386 amd64 amd64p32 arm armbe arm64 arm64be ppc64 ppc64le loong64 mips mipsle mips64 mips64le mips64p32 mips64p32le ppc riscv riscv64 s390 s390x sparc sparc64 wasm'.split(
    ' ',
  );
/** What builders put beside an image: it is for no platform (docs.docker.com, "Attestation storage"). */
const REFERENCE_TYPE = 'vnd.docker.reference.type';

/** A platform as documents have it. */
type GivenPlatform = { readonly [Key in keyof Platform]?: Platform[Key] | null | undefined };

/** What images for this machine are called. */
export function hostPlatform(): Platform {
  const architecture = OF_NODE[process.arch] ?? process.arch;
  const version = (process.config.variables as { arm_version?: string | number }).arm_version;
  return normalizePlatform({ os: 'linux', architecture, ...(architecture === 'arm' && version ? { variant: `v${version}` } : {}) });
}

/**
 * Returns the one name of a platform (containerd's `platforms.Normalize`). What is missing or `null` is empty, as in Go; no
 * system means this one.
 */
export function normalizePlatform({ os, architecture, variant }: GivenPlatform): Platform {
  const system = (os || 'linux').toLowerCase();
  const [name, kind] = normalizeArchitecture((architecture ?? '').toLowerCase(), (variant ?? '').toLowerCase());
  return { os: system === 'macos' ? 'darwin' : system, architecture: name, ...(kind ? { variant: kind } : {}) };
}

function normalizeArchitecture(architecture: string, variant: string): [architecture: string, variant: string] {
  switch (architecture) {
    case 'i386':
      return ['386', ''];
    case 'x86_64':
    case 'x86-64':
    case 'amd64':
      return ['amd64', variant === 'v1' ? '' : variant];
    case 'aarch64':
    case 'arm64':
      return ['arm64', ['8', 'v8'].includes(variant) ? '' : variant];
    case 'armhf':
      return ['arm', 'v7'];
    case 'armel':
      return ['arm', 'v6'];
    case 'arm':
      return ['arm', /^[5-8]?$/.test(variant) ? `v${variant || 7}` : variant];
    default:
      return [architecture, variant];
  }
}

/**
 * Returns the platforms whose images run where another one's are wanted, the best first (containerd's `platforms.Only`):
 * older variants, and what the processor runs besides.
 */
function compatible(wanted: Platform): readonly Platform[] {
  const { os, architecture, variant = '' } = wanted;
  const of = (name: string, kind: string): Platform => normalizePlatform({ os, architecture: name, variant: kind });
  const version = Number(/^v?(\d+)$/.exec(variant)?.[1] ?? Number.NaN);
  const older = (name: string, from: number, to: number): Platform[] => Array.from({ length: Math.max(0, from - to) }, (_, i) => of(name, `v${from - 1 - i}`));
  if (architecture === 'amd64') return [wanted, ...(version > 1 ? older('amd64', version, 1) : []), of('386', '')];
  if (architecture === 'arm') return [wanted, ...(version > 5 ? older('arm', version, 5) : [])];
  if (architecture === 'arm64') return [wanted, ...olderArm64(variant).map((each) => of('arm64', each)), ...compatible32(os, variant)];
  return [wanted];
}

/** Variants of arm64 below one. 9.0 came after 8.5, so that 9.x has what 8.(x+5) has. */
function olderArm64(variant: string): string[] {
  const [, major, minor = '0'] = /^v?(\d+)(?:\.(\d))?$/.exec(variant || 'v8') ?? [];
  const name = (first: number, second: number): string => (second ? `v${first}.${second}` : `v${first}`);
  const below = (first: number, second: number): string[] => Array.from({ length: second }, (_, i) => name(first, second - 1 - i));
  if (major === '9') return [...below(9, Number(minor)), name(8, Number(minor) + 5), ...below(8, Number(minor) + 5)];
  return major === '8' ? below(8, Number(minor)) : [];
}

/** What a processor of 64 bits runs of those of 32. */
function compatible32(os: string, variant: string): readonly Platform[] {
  return compatible(normalizePlatform({ os, architecture: 'arm', variant: !variant || /^v[89]\./.test(variant) ? 'v8' : variant }));
}

const same = (one: Platform, other: Platform): boolean =>
  one.os === other.os && one.architecture === other.architecture && (one.variant ?? '') === (other.variant ?? '');

/** How well an image of one platform does where another is wanted: 0 is best. Undefined if it does not. */
export function rankOf(found: GivenPlatform, wanted: Platform): number | undefined {
  const normal = normalizePlatform(found);
  const rank = compatible(normalizePlatform(wanted)).findIndex((each) => same(each, normal));
  return rank < 0 ? undefined : rank;
}

/**
 * Reads `OS/ARCHITECTURE[/VARIANT]`, `OS`, `ARCHITECTURE` or `ARCHITECTURE/VARIANT`; what is missing is this machine's.
 *
 * @throws ImageError `PLATFORM_INVALID`
 */
export function parsePlatform(text: string): Platform {
  const invalid = (why: string): ImageError =>
    new ImageError({ code: 'PLATFORM_INVALID', message: `'${text}' is not a platform${why}`, hint: 'Write OS/ARCHITECTURE[/VARIANT], like linux/arm64/v8.' });
  // The version of a system, as in windows(10.0.17763), says nothing of Linux.
  const parts = text.replace(/^([\w-]+)\([\w.%+-]*\)/, '$1').split('/');
  const [first = '', second, third] = parts;
  if (parts.length > 3 || parts.some((part) => !/^[\w.-]+$/.test(part))) throw invalid('');
  const alone = normalizePlatform({ architecture: first, variant: second });
  if (second === undefined) {
    if (SYSTEMS.includes(normalizePlatform({ os: first }).os)) return { ...hostPlatform(), os: normalizePlatform({ os: first }).os };
    if (!ARCHITECTURES.includes(alone.architecture)) throw invalid(': it is no system and no architecture that is known');
    return alone;
  }
  // A system is not called as an architecture: what follows is a variant.
  if (third === undefined && ARCHITECTURES.includes(alone.architecture)) return alone;
  return normalizePlatform({ os: first, architecture: second, variant: third });
}

/** Returns a platform as text, `OS/ARCHITECTURE[/VARIANT]`, with normal names. */
export function formatPlatform(platform: GivenPlatform): string {
  const { os, architecture, variant } = normalizePlatform(platform);
  return [os, architecture, variant].filter(Boolean).join('/');
}

/**
 * Returns the manifests of an index that may be for a platform, the best first; those that do not say what they are for
 * come last, and their configs do.
 */
export function candidatesFor(manifests: readonly OciDescriptor[], wanted: Platform): readonly OciDescriptor[] {
  return manifests
    .filter(({ annotations }) => annotations?.[REFERENCE_TYPE] === undefined)
    .map((each) => ({ each, rank: each.platform ? rankOf(each.platform, wanted) : Number.POSITIVE_INFINITY }))
    .filter(({ rank }) => rank !== undefined)
    .sort((a, b) => (a.rank === b.rank ? 0 : (a.rank as number) - (b.rank as number)))
    .map(({ each }) => each);
}

/** Returns the best of manifests that say what they are for. @throws ImageError `PLATFORM_MISSING` */
export function choosePlatform(manifests: readonly OciDescriptor[], wanted: Platform, where: string): OciDescriptor {
  const [best] = candidatesFor(manifests, wanted);
  if (best?.platform) return best;
  throw platformMissing(manifests, wanted, where);
}

export function platformMissing(manifests: readonly OciDescriptor[], wanted: Platform, where: string): ImageError {
  const there = new Set(manifests.flatMap(({ platform }) => (platform && platform.os !== 'unknown' ? [formatPlatform(platform)] : [])));
  return new ImageError({
    code: 'PLATFORM_MISSING',
    message: `${where} has no image for ${formatPlatform(wanted)}`,
    hint: there.size ? `It has ${[...there].join(', ')}; choose with --platform.` : 'Its index does not say for which platforms its images are.',
  });
}
