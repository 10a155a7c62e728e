import { expect, test } from 'vitest';
import { deviceProgram, deviceWrites } from './device-program.js';
import { weightOfShares, writesV1, writesV2 } from './linux-resources.js';

const lines = (writes: readonly { readonly file: string; readonly value: string }[]): string[] => writes.map(({ file, value }) => `${file}=${value}`);

test('limits of the specification become files of version 2', () => {
  expect(
    lines(
      writesV2({
        memory: { limit: 1000, swap: 1500, reservation: 500 },
        cpu: { shares: 1024, quota: 50_000, period: 100_000, burst: 10, cpus: '0-1', mems: '0' },
        pids: { limit: -1 },
        blockIO: { weight: 1000, throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 5 }] },
        hugepageLimits: [{ pageSize: '2MB', limit: 7 }],
        rdma: { mlx: { hcaHandles: 3 } },
        unified: { 'memory.high': '900' },
      }),
    ),
  ).toEqual([
    'memory.max=1000',
    'memory.swap.max=500',
    'memory.low=500',
    'cpu.weight=100',
    'cpu.max=50000 100000',
    'cpu.max.burst=10',
    'cpuset.cpus=0-1',
    'cpuset.mems=0',
    'pids.max=max',
    'io.bfq.weight=1000',
    'io.weight=10000',
    'io.max=8:0 rbps=5',
    'hugetlb.2MB.max=7',
    'rdma.max=mlx hca_handle=3',
    'memory.high=900',
  ]);
  expect(() => writesV2({ memory: { swap: 5 } })).toThrow(/swap/);
  expect(() => writesV2({ memory: { swap: 5, limit: 6 } })).toThrow(/lower than the limit on memory/);
  expect(() => writesV2({ unified: { '../x.y': '1' } })).toThrow(/not the name of a cgroup file/);
});

test('limits of the specification become files of version 1, which has no unified limits', () => {
  expect(
    lines(
      writesV1({
        memory: { limit: 1000, swap: -1, disableOOMKiller: true },
        cpu: { shares: 512 },
        network: { classID: 9, priorities: [{ name: 'lo', priority: 2 }] },
      }),
    ),
  ).toEqual([
    'memory.limit_in_bytes=1000',
    'memory.memsw.limit_in_bytes=-1',
    'memory.oom_control=1',
    'cpu.shares=512',
    'net_cls.classid=9',
    'net_prio.ifpriomap=lo 2',
  ]);
  expect(() => writesV1({ unified: { 'memory.high': '1' } })).toThrow(/version 2/);
});

test('CPU shares become weights, and the default shares the default weight', () => {
  expect([2, 1024, 262_144].map(weightOfShares)).toEqual([1, 100, 10_000]);
});

/** Runs a program on what a process wants with a device, as the kernel would. */
function decide(program: Uint8Array, [type, major, minor, access]: readonly [type: 'b' | 'c', major: number, minor: number, access: string]): boolean {
  const bits = [...access].reduce((sum, letter) => sum | ({ m: 1, r: 2, w: 4 }[letter] ?? 0), 0);
  const context = [(bits << 16) | (type === 'b' ? 1 : 2), major, minor];
  const code = Buffer.from(program);
  const register = Array.from({ length: 11 }, () => 0);
  for (let pc = 0; pc * 8 < code.length; pc++) {
    const at = pc * 8;
    const [op, to, from, offset, value] = [code[at], (code[at + 1] ?? 0) & 15, (code[at + 1] ?? 0) >> 4, code.readInt16LE(at + 2), code.readInt32LE(at + 4)];
    const is = register[to] ?? 0;
    if (op === 0x61) register[to] = context[offset / 4] ?? 0;
    else if (op === 0xbf) register[to] = register[from] ?? 0;
    else if (op === 0x77) register[to] = is >>> value;
    else if (op === 0x57) register[to] = is & value;
    else if (op === 0xb7) register[to] = value;
    else if (op === 0x55) pc += is === value ? 0 : offset;
    else if (op === 0x15) pc += is === value ? offset : 0;
    else if (op === 0x95) return register[0] === 1;
    else throw new Error(`instruction ${op}`);
  }
  throw new Error('it does not end');
}

test('the last rule on devices that matches decides', () => {
  const program = deviceProgram([
    { allow: false, access: 'rwm' },
    { allow: true, type: 'c', major: 1, minor: 3, access: 'rw' },
    { allow: true, type: 'b', major: 8 },
    { allow: false, type: 'b', major: 8, minor: 1, access: 'w' },
  ]);
  expect(decide(program, ['c', 1, 3, 'rw'])).toBe(true);
  expect(decide(program, ['c', 1, 3, 'rwm'])).toBe(false);
  expect(decide(program, ['b', 1, 3, 'r'])).toBe(false);
  expect(decide(program, ['b', 8, 7, 'rwm'])).toBe(true);
  expect(decide(program, ['b', 8, 1, 'r'])).toBe(true);
  expect(decide(program, ['b', 8, 1, 'rw'])).toBe(false);
  expect(decide(deviceProgram([]), ['c', 1, 3, 'r'])).toBe(false);
  expect(decide(deviceProgram([{ allow: true }]), ['c', 1, 3, 'rwm'])).toBe(true);
});

test('rules on devices become lines of version 1', () => {
  expect(deviceWrites([{ allow: false }, { allow: true, type: 'c', major: 10, access: 'rm' }])).toEqual([
    { file: 'devices.deny', value: 'a *:* rwm' },
    { file: 'devices.allow', value: 'c 10:* rm' },
  ]);
});
