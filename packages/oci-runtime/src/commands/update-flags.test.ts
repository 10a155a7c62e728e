import { expect, test } from 'vitest';
import { rdtSchemas, resourceLimits } from './update-flags.js';

test('only given limits are set', () => {
  expect(resourceLimits({ memory: '512m', 'pids-limit': '-1' })).toEqual({
    memory: { limit: 512 << 20, reservation: undefined, swap: undefined, kernelTCP: undefined },
    cpu: undefined,
    pids: { limit: -1 },
    blockIO: undefined,
  });
  expect(resourceLimits({ 'cpu-quota': '50000', 'cpuset-cpus': '0-2' }).cpu).toMatchObject({ quota: 50_000, cpus: '0-2' });
});

test.each([
  ['0', 0],
  ['-1', -1],
  ['1024', 1024],
  ['1024b', 1024],
  ['1k', 1024],
  ['2M', 2 << 20],
  ['1gb', 1 << 30],
  ['1t', 2 ** 40],
])('%s is %i bytes', (text, bytes) => {
  expect(resourceLimits({ memory: text }).memory?.limit).toBe(bytes);
});

test.each(['', 'm', '1.5m', '1mm', 'much'])("a memory limit of '%s' is refused", (memory) => {
  expect(() => resourceLimits({ memory })).toThrow(`invalid value '${memory}' for --memory: use a size such as 512m`);
});

test('an update without limits is refused', () => {
  expect(() => resourceLimits({})).toThrow('requires --resources FILE or a limit');
});

test('schemas of Intel RDT are taken as they are, and a bandwidth is one line of MB', () => {
  expect(rdtSchemas({})).toBeUndefined();
  expect(rdtSchemas({ 'l3-cache-schema': 'L3:0=f', 'mem-bw-schema': 'MB:0=20' })).toEqual({ l3CacheSchema: 'L3:0=f', memBwSchema: 'MB:0=20' });
  for (const wrong of ['L3:0=f', 'MB:0=20\nMB:1=30']) expect(() => rdtSchemas({ 'mem-bw-schema': wrong })).toThrow('use one line that begins with MB:');
});
