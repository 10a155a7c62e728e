import { ImageError } from '../image-error.js';
import type { OciDescriptor } from '../store/oci-schema.js';
import type { Platform } from './source-image.js';

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64', ia32: '386', arm: 'arm' };

/** What images for this machine are called (Go's words). */
export function hostPlatform(): Platform {
  return { os: 'linux', architecture: ARCHITECTURES[process.arch] ?? process.arch };
}

/**
 * Read `OS/ARCHITECTURE[/VARIANT]` or `ARCHITECTURE`.
 *
 * @throws ImageError `PLATFORM_INVALID`
 */
export function parsePlatform(text: string): Platform {
  const parts = text.split('/');
  const [first = '', second, variant] = parts;
  if (parts.length > 3 || parts.some((part) => !/^[a-z0-9_.-]+$/i.test(part)))
    throw new ImageError({ code: 'PLATFORM_INVALID', message: `'${text}' is not a platform`, hint: 'Write OS/ARCHITECTURE[/VARIANT], like linux/arm64/v8.' });
  if (second === undefined) return { os: 'linux', architecture: first };
  return { os: first, architecture: second, ...(variant === undefined ? {} : { variant }) };
}

/** The manifest of an index for a platform. @throws ImageError `PLATFORM_MISSING` */
export function choosePlatform(manifests: readonly OciDescriptor[], wanted: Platform, where: string): OciDescriptor {
  // Some indexes of a single image do not say what it is for.
  const [only] = manifests;
  if (manifests.length === 1 && only && !only.platform) return only;
  const fits = manifests.filter(({ platform }) => platform?.os === wanted.os && platform.architecture === wanted.architecture);
  const exact = fits.find(({ platform }) => (platform?.variant ?? '') === (wanted.variant ?? ''));
  // arm64 without a variant is v8, and the other way round.
  const chosen = exact ?? (wanted.variant === undefined || (wanted.architecture === 'arm64' && wanted.variant === 'v8') ? fits[0] : undefined);
  if (chosen) return chosen;
  const name = ({ os, architecture, variant }: Platform | { os: string; architecture: string; variant?: string | undefined }): string =>
    [os, architecture, variant].filter(Boolean).join('/');
  const there = manifests.flatMap(({ platform }) => (platform && platform.os !== 'unknown' ? [name(platform)] : []));
  throw new ImageError({
    code: 'PLATFORM_MISSING',
    message: `${where} has no image for ${name(wanted)}`,
    hint: there.length ? `It has ${there.join(', ')}; choose with --platform.` : 'Its index does not say for which platforms its images are.',
  });
}
