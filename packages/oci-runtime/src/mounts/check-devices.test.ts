import { expect, test } from 'vitest';
import { deviceNumber } from './check-devices.js';

// Numbers of makedev(3) of glibc.
test.each([
  [1, 3, 259n],
  [8, 255, 2303n],
  [8, 256, 1_050_624n],
  [0x1234, 0x5678, 17_592_276_366_456n],
])('the device %i:%i', (major, minor, number) => {
  expect(BigInt(deviceNumber({ major, minor }))).toBe(number);
});
