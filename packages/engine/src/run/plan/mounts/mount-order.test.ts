import type { FileMount, Mount } from '@lamella/namespace';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { containerMounts, ownVolumes } from './mount-order.js';

const CONFINING: readonly Mount[] = [
  { type: 'proc', destination: '/proc' },
  { type: 'dev', destination: '/dev' },
  { type: 'tmpfs', destination: '/dev/shm' },
];
const FILES: readonly FileMount[] = ['/etc/hosts', '/etc/hostname'].map((destination) => ({ type: 'file', destination, content: 'x' }));
const tmpfs = (destination: string): Mount => ({ type: 'tmpfs', destination });
const paths = fc.uniqueArray(
  fc.array(fc.constantFrom('a', 'b', 'etc', 'hosts', 'dev'), { minLength: 1, maxLength: 4 }).map((parts) => `/${parts.join('/')}`),
  { maxLength: 8 },
);

test('whatever the order, what is in a directory is mounted after it, and what confines is first', () => {
  fc.assert(
    fc.property(
      paths.chain((asked) => fc.tuple(fc.constant(asked), fc.shuffledSubarray(asked, { minLength: asked.length }))),
      paths,
      ([asked, shuffled], own) => {
        const mounts = (list: readonly string[]): string[] =>
          containerMounts({ confining: CONFINING, files: FILES, own, asked: list.map(tmpfs) }).map(({ type, destination }) => `${type} ${destination}`);
        const all = mounts(asked);
        expect(all.toSorted()).toEqual(mounts(shuffled).toSorted());
        for (const list of [all, mounts(shuffled)]) {
          expect(list.slice(0, CONFINING.length)).toEqual(CONFINING.map(({ type, destination }) => `${type} ${destination}`));
          const places = list.slice(CONFINING.length).map((each) => each.split(' ')[1] ?? '');
          for (const [i, place] of places.entries()) expect(places.slice(i + 1).filter((later) => place.startsWith(`${later}/`))).toEqual([]);
          // Each that was asked for is seen.
          for (const place of asked) expect(places.lastIndexOf(place)).toBe(list.lastIndexOf(`tmpfs ${place}`) - CONFINING.length);
        }
      },
    ),
  );
});

test('two at one place are refused, however it is written', () => {
  for (const second of ['/x', '/x/', '//x', '/y/../x'])
    expect(() => containerMounts({ confining: CONFINING, files: [], own: [], asked: [tmpfs('/x'), tmpfs(second)] })).toThrow(
      /two mounts have the same destination \/x/,
    );
});

test('own volumes of an image keep away from the kernel’s; those of the user are what they are', () => {
  const image = { volumes: ['/data/', '/proc', '/dev/x', '/', '/data'] };
  expect(ownVolumes(image as never, { anonymousVolumes: ['/mine', '/data'] }, CONFINING)).toEqual(['/data', '/mine']);
});
