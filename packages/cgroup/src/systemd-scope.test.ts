import { expect, test } from 'vitest';
import { scopeOf, unitProperties } from './index.js';

test('a cgroupsPath names a scope and its slice', () => {
  expect(scopeOf('machine.slice:libpod:abc', 'x', false)).toEqual({ unit: 'libpod-abc.scope', slice: 'machine.slice', user: false });
  expect(scopeOf(':docker:abc', 'x', false)).toEqual({ unit: 'docker-abc.scope', slice: 'system.slice', user: false });
  expect(scopeOf('user.slice::abc', 'x', true)).toEqual({ unit: 'abc.scope', slice: 'user.slice', user: true });
  expect(scopeOf(undefined, 'x', true)).toEqual({ unit: 'lamella-x.scope', slice: 'user.slice', user: true });
  for (const wrong of ['/path', 'a:b', 'a:b:', 'a:b:c/d', 'a:b:c.slice'])
    expect(() => scopeOf(wrong, 'x', false)).toThrow(expect.objectContaining({ code: 'CGROUPS_PATH_INVALID' }));
});

test('limits become properties of the unit', () => {
  expect(
    unitProperties({
      memory: { limit: 67108864, swap: 134217728, reservation: 1000 },
      cpu: { shares: 1024, quota: 150000, period: 100000, cpus: '0-2,9', mems: '0' },
      pids: { limit: 100 },
    }),
  ).toEqual(
    expect.arrayContaining([
      ['MemoryMax', 't', '67108864'],
      ['MemorySwapMax', 't', '67108864'],
      ['MemoryLow', 't', '1000'],
      ['CPUQuotaPeriodUSec', 't', '100000'],
      ['CPUQuotaPerSecUSec', 't', '1500000'],
      ['AllowedCPUs', 'ay', '2', '7', '2'],
      ['AllowedMemoryNodes', 'ay', '1', '1'],
      ['TasksMax', 't', '100'],
    ]),
  );
  expect(unitProperties({ memory: { limit: -1 }, pids: { limit: -1 } })).toEqual([
    ['MemoryMax', 't', '18446744073709551615'],
    ['TasksMax', 't', '18446744073709551615'],
  ]);
  expect(unitProperties({ unified: { 'memory.high': '1000', 'cpu.max': 'max 100000' } })).toEqual([
    ['MemoryHigh', 't', '1000'],
    ['CPUQuotaPeriodUSec', 't', '100000'],
    ['CPUQuotaPerSecUSec', 't', '18446744073709551615'],
  ]);
  expect(unitProperties({})).toEqual([]);
});
