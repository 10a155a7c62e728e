import { expect, test } from 'vitest';
import { methodFor, overlayMount } from './overlay-mount.js';
import type { OverlayStack } from './stack.js';

const STACK: OverlayStack = { lowerdirs: ['/l'], upperdir: '/u', workdir: '/w', merged: '/m' };

test.each<[string, Partial<OverlayStack>, string]>([
  ['no lower directory', { lowerdirs: [] }, 'OVERLAY_NO_LOWER'],
  ['more than 500 lower directories', { lowerdirs: Array.from({ length: 501 }, (_, i) => `/l${i}`) }, 'OVERLAY_TOO_MANY_LOWERS'],
  ['a relative path', { lowerdirs: ['l'] }, 'OVERLAY_RELATIVE_PATH'],
])('a stack with %s is refused', (_, change, code) => {
  expect(() => overlayMount({ ...STACK, ...change })).toThrow(expect.objectContaining({ code }));
});

test('an upper and a work directory go together', () => {
  const { upperdir: _u, ...noUpper } = STACK;
  const { workdir: _w, ...noWork } = STACK;
  for (const stack of [noUpper, noWork]) expect(() => overlayMount(stack)).toThrow(expect.objectContaining({ code: 'OVERLAY_NO_WORKDIR' }));
  const { workdir: _, ...none } = noUpper;
  expect(overlayMount(none)).toMatchObject([{ op: 'mount', filesystemtype: 'overlay', data: 'lowerdir=/l' }]);
});

test('a short stack is mounted by one mount(2), and a long one by what the kernel takes', () => {
  const long = { ...STACK, lowerdirs: Array.from({ length: 100 }, (_, i) => `/${'x'.repeat(50)}${i}`) };
  expect(methodFor(STACK, { lowerdirPlus: true })).toBe('mount');
  expect(methodFor(long, { lowerdirPlus: true })).toBe('lowerdir+');
  expect(methodFor(long, { lowerdirPlus: false })).toBe('descriptors');
});

test('a lower that has to be a certain object is named by its descriptor only', () => {
  const expected = { '/l': { dev: 1, ino: 2 } } as unknown as NonNullable<OverlayStack['expected']>;
  expect(methodFor({ ...STACK, expected }, { lowerdirPlus: true })).toBe('lowerdir+');
  expect(methodFor({ ...STACK, expected: { '/other': expected['/l'] as never } }, { lowerdirPlus: true })).toBe('mount');
});
