import { describe, expect, test } from 'vitest';
import { planCgroup, wasOomKilled } from './index.js';
import { settingsV1, settingsV2 } from './resources.js';

const all = { memory: 64 << 20, memorySwap: 96 << 20, cpus: 1.5, cpuShares: 1024, cpusetCpus: '0-1', pidsLimit: -1, blkioWeight: 500 };
const files = (settings: readonly { file: string; value: string }[]): Record<string, string> =>
  Object.fromEntries(settings.map(({ file, value }) => [file, value]));

test('version 2 limits swap alone, and has weights from 1 to 10000', () => {
  expect(files(settingsV2(all))).toEqual({
    'memory.max': `${64 << 20}`,
    'memory.swap.max': `${32 << 20}`,
    'cpu.max': '150000 100000',
    'cpu.weight': '39',
    'cpuset.cpus': '0-1',
    'pids.max': 'max',
    'io.weight': '4950',
  });
  expect(files(settingsV2({ cpuShares: 2 }))['cpu.weight']).toBe('1');
  expect(files(settingsV2({ cpuShares: 262_144 }))['cpu.weight']).toBe('10000');
  expect(files(settingsV2({ memory: 1 << 30, memorySwap: -1 }))['memory.swap.max']).toBe('max');
  expect(files(settingsV2({ memory: 1 << 30 }))['memory.swap.max']).toBe(`${1 << 30}`);
});

test('version 1 limits memory and swap together', () => {
  expect(files(settingsV1(all))).toMatchObject({ 'memory.limit_in_bytes': `${64 << 20}`, 'memory.memsw.limit_in_bytes': `${96 << 20}`, 'cpu.shares': '1024' });
  expect(files(settingsV1({ memory: 1 << 30 }))['memory.memsw.limit_in_bytes']).toBe(`${2 * (1 << 30)}`);
});

test('the memory events show whether the OOM killer ended a process', () => {
  expect(wasOomKilled('low 0\nhigh 0\nmax 3\noom 1\noom_kill 1\noom_group_kill 0\n')).toBe(true);
  expect(wasOomKilled('oom_kill_disable 0\nunder_oom 0\noom_kill 0\n')).toBe(false);
  expect(wasOomKilled('')).toBe(false);
});

describe('values that the kernel does not accept are refused', () => {
  test.for<[object]>([
    [{ memory: 1024 }],
    [{ memory: 1.5e8 + 0.5 }],
    [{ memorySwap: 1 << 30 }],
    [{ memory: 1 << 30, memorySwap: 1 << 20 }],
    [{ cpus: 0 }],
    [{ cpuShares: 1 }],
    [{ cpusetCpus: '0,' }],
    [{ pidsLimit: 0 }],
    [{ blkioWeight: 9 }],
  ])('%j', ([resources]) => {
    expect(() => planCgroup(resources, { name: 'x' }, () => 5)).toThrow(expect.objectContaining({ code: 'LIMIT_INVALID', hint: expect.any(String) }));
  });
});

test('a limit is an error if no cgroups are mounted', () => {
  expect(() => planCgroup({ pidsLimit: 5 }, { name: 'x', mount: '/no/such' }, () => 5)).toThrow(expect.objectContaining({ code: 'CGROUP_MISSING' }));
});
