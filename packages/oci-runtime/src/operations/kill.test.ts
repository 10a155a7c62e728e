import { expect, test } from 'vitest';
import { signalNumber } from './kill.js';

test.each([
  ['TERM', 15],
  ['SIGTERM', 15],
  ['term', 15],
  ['15', 15],
  ['0', 0],
  ['RTMIN', 34],
  ['RTMIN+3', 37],
  ['SIGRTMAX-1', 63],
  ['64', 64],
])('%s is signal %i', (text, number) => {
  expect(signalNumber(text)).toBe(number);
});

test.each(['LUCK', '65', '-1', 'RTMIN-1', 'RTMAX+1', ''])("'%s' is not a signal", (text) => {
  expect(() => signalNumber(text)).toThrow(expect.objectContaining({ code: 'SIGNAL_UNKNOWN' }));
});
