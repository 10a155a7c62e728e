import { expect, test } from 'vitest';
import { hostId, isMapped } from './id-maps.js';

const MAPS = [
  { containerID: 0, hostID: 1000, size: 1 },
  { containerID: 1, hostID: 100_000, size: 10 },
];

test.each([
  [0, 1000],
  [1, 100_000],
  [10, 100_009],
])('id %i of the container is %i on the host', (id, host) => {
  expect(hostId(MAPS, id)).toBe(host);
  expect(isMapped(MAPS, id)).toBe(true);
});

test('ids outside of the maps are not mapped', () => {
  expect(isMapped(MAPS, 11)).toBe(false);
  expect(hostId(MAPS, 11)).toBe(11);
});

test('without maps every id is its own', () => {
  expect([isMapped(undefined, 7), isMapped([], 7), hostId(undefined, 7), hostId([], 7)]).toEqual([true, true, 7, 7]);
});
