import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { OciDescriptor } from '../store/oci-schema.js';
import { choosePlatform, formatPlatform, hostPlatform, normalizePlatform, parsePlatform, rankOf } from './choose-platform.js';

/** The tables of containerd's platforms_test.go and compare_test.go, in our words; `-` is empty. */

test.for([
  // Given, and what Normalize makes of it.
  ['linux/amd64', 'linux/amd64'],
  ['linux/AMD64', 'linux/amd64'],
  ['LINUX/x86_64', 'linux/amd64'],
  ['linux/x86-64', 'linux/amd64'],
  ['linux/amd64/v1', 'linux/amd64'],
  ['linux/amd64/V2', 'linux/amd64/v2'],
  ['linux/i386', 'linux/386'],
  ['linux/i386/v7', 'linux/386'],
  ['linux/aarch64', 'linux/arm64'],
  ['linux/arm64/v8', 'linux/arm64'],
  ['linux/arm64/8', 'linux/arm64'],
  ['linux/arm64/v8.2', 'linux/arm64/v8.2'],
  ['linux/arm64/v9', 'linux/arm64/v9'],
  ['linux/arm', 'linux/arm/v7'],
  ['linux/arm/7', 'linux/arm/v7'],
  ['linux/arm/v7', 'linux/arm/v7'],
  ['linux/arm/6', 'linux/arm/v6'],
  ['linux/arm/5', 'linux/arm/v5'],
  ['linux/arm/8', 'linux/arm/v8'],
  ['linux/armhf', 'linux/arm/v7'],
  ['linux/armel', 'linux/arm/v6'],
  ['macos/arm64', 'darwin/arm64'],
  ['-/amd64', 'linux/amd64'],
  ['linux/s390x', 'linux/s390x'],
  ['linux/-', 'linux'],
] as const)('%s is %s', ([given, normal]) => {
  const [os, architecture, variant] = given.split('/').map((each) => (each === '-' ? '' : each));
  expect(formatPlatform({ os, architecture, variant })).toBe(normal);
});

test('what is null or missing is empty', () => {
  expect(normalizePlatform({ os: null, architecture: null, variant: null })).toEqual({ os: 'linux', architecture: '' });
  expect(normalizePlatform({})).toEqual({ os: 'linux', architecture: '' });
  expect(normalizePlatform({ architecture: 'arm', variant: null })).toEqual({ os: 'linux', architecture: 'arm', variant: 'v7' });
});

/** Wanted, then all that run there, the best first. */
const ORDERS: Readonly<Record<string, string>> = {
  'linux/amd64': 'linux/amd64 linux/386',
  'linux/amd64/v1': 'linux/amd64 linux/386',
  'linux/amd64/v2': 'linux/amd64/v2 linux/amd64 linux/386',
  'linux/amd64/v3': 'linux/amd64/v3 linux/amd64/v2 linux/amd64 linux/386',
  'linux/386': 'linux/386',
  'linux/arm': 'linux/arm/v7 linux/arm/v6 linux/arm/v5',
  'linux/armhf': 'linux/arm/v7 linux/arm/v6 linux/arm/v5',
  'linux/armel': 'linux/arm/v6 linux/arm/v5',
  'linux/arm/v5': 'linux/arm/v5',
  'linux/arm/v6': 'linux/arm/v6 linux/arm/v5',
  'linux/arm/v7': 'linux/arm/v7 linux/arm/v6 linux/arm/v5',
  'linux/arm/v8': 'linux/arm/v8 linux/arm/v7 linux/arm/v6 linux/arm/v5',
  'linux/arm64': 'linux/arm64 linux/arm/v8 linux/arm/v7 linux/arm/v6 linux/arm/v5',
  'linux/arm64/v8': 'linux/arm64 linux/arm/v8 linux/arm/v7 linux/arm/v6 linux/arm/v5',
  'linux/arm64/v8.2': 'linux/arm64/v8.2 linux/arm64/v8.1 linux/arm64 linux/arm/v8 linux/arm/v7 linux/arm/v6 linux/arm/v5',
  'linux/arm64/v9': 'linux/arm64/v9 linux/arm64/v8.5 linux/arm64/v8.4 linux/arm64/v8.3 linux/arm64/v8.2 linux/arm64/v8.1 linux/arm64',
  'linux/arm64/v9.1':
    'linux/arm64/v9.1 linux/arm64/v9 linux/arm64/v8.6 linux/arm64/v8.5 linux/arm64/v8.4 linux/arm64/v8.3 linux/arm64/v8.2 linux/arm64/v8.1 linux/arm64',
  'linux/s390x': 'linux/s390x',
  'linux/ppc64le': 'linux/ppc64le',
  'windows/amd64': 'windows/amd64 windows/386',
};
const EVERY = [...new Set([...Object.values(ORDERS).flatMap((each) => each.split(' ')), 'linux/riscv64', 'darwin/amd64', 'linux'])];
const of = (text: string): { os?: string; architecture?: string; variant?: string } => {
  const [os, architecture, variant] = text.split('/');
  return { ...(os ? { os } : {}), ...(architecture ? { architecture } : {}), ...(variant ? { variant } : {}) };
};

test.for(Object.entries(ORDERS))('where %s is wanted, these run: %s', ([wanted, order]) => {
  const ranked = EVERY.map((each) => [each, rankOf(of(each), of(wanted) as never)] as const).filter(([, rank]) => rank !== undefined);
  const best = ranked.sort(([, a], [, b]) => (a as number) - (b as number)).map(([each]) => each);
  // containerd accepts 32-bit variants for v9 only from v8 on.
  expect(best.filter((each) => !(wanted.includes('arm64/v9') && each.startsWith('linux/arm/')))).toEqual(order.split(' '));
});

describe('of an index', () => {
  const digest = (i: number): string => `sha256:${String(i).padStart(64, '0')}`;
  const entry = (platform: string, i: number): OciDescriptor => ({ mediaType: 'm', digest: digest(i), size: 1, platform: of(platform) as never });

  test('the best is chosen whatever the order, and never one that does not run', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(EVERY), fc.constantFrom(...Object.keys(ORDERS)), (there, wanted) => {
        const index = there.map(entry);
        const best =
          (ORDERS[wanted] as string).split(' ').find((each) => there.includes(each)) ??
          there.find((each) => rankOf(of(each), of(wanted) as never) !== undefined);
        if (best === undefined) expect(() => choosePlatform(index, of(wanted) as never, 'it')).toThrow(expect.objectContaining({ code: 'PLATFORM_MISSING' }));
        else expect(choosePlatform(index, of(wanted) as never, 'it').digest).toBe(digest(there.indexOf(best)));
      }),
    );
  });

  test('of equals the first is chosen', () => {
    expect(choosePlatform([entry('linux/arm64/v8', 0), entry('linux/aarch64', 1)], { os: 'linux', architecture: 'arm64' }, 'it').digest).toBe(digest(0));
  });

  test('attestations are no images, whatever they say that they are for', () => {
    const attestation = { ...entry('linux/amd64', 1), annotations: { 'vnd.docker.reference.type': 'attestation-manifest' } };
    const amd64 = { os: 'linux', architecture: 'amd64' };
    expect(choosePlatform([attestation, entry('unknown/unknown', 2), entry('linux/amd64', 3)], amd64, 'it').digest).toBe(digest(3));
    expect(() => choosePlatform([attestation], amd64, 'it')).toThrow(expect.objectContaining({ code: 'PLATFORM_MISSING' }));
  });
});

test.for([
  ['amd64', 'linux/amd64'],
  ['x86_64', 'linux/amd64'],
  ['arm', 'linux/arm/v7'],
  ['armhf', 'linux/arm/v7'],
  ['armel', 'linux/arm/v6'],
  ['i386', 'linux/386'],
  ['aarch64', 'linux/arm64'],
  ['arm/v8', 'linux/arm/v8'],
  ['arm/6', 'linux/arm/v6'],
  ['amd64/v3', 'linux/amd64/v3'],
  ['arm64/v8', 'linux/arm64'],
  ['Linux/ARM64', 'linux/arm64'],
  ['linux/arm/v7', 'linux/arm/v7'],
  ['linux/armel', 'linux/arm/v6'],
  ['windows(10.0.17763)/amd64', 'windows/amd64'],
  ['linux/some-day', 'linux/some-day'],
  ['linux', formatPlatform(hostPlatform())],
] as const)('--platform %s is %s', ([text, whole]) => expect(formatPlatform(parsePlatform(text))).toBe(whole));

test.for(['', '/', 'linux/', '/amd64', 'a/b/c/d', 'linux/amd64/v1/x', 'some-day', '*', 'linux/*', 'linux/amd64 ', 'linux amd64'])(
  "--platform '%s' is refused",
  (text) => {
    expect(() => parsePlatform(text)).toThrow(expect.objectContaining({ code: 'PLATFORM_INVALID', hint: expect.stringContaining('linux/arm64/v8') }));
  },
);
