import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { scratch } from '@lamella-test/scratch';
import { expect, test } from 'vitest';
import { changeRdtGroup, joinRdtGroup, makeRdtGroup, removeRdtGroup } from './intel-rdt.js';

/** Directories instead of resctrl, which requires a processor with Intel RDT. The tests check the files that resctrl would get. */

test('a class of its own has the name of the container, and the schemas it was given', async () => {
  await using at = scratch();
  const group = makeRdtGroup({ l3CacheSchema: 'MB:0=10\nL3:0=7f0;1=1f', memBwSchema: 'MB:0=20;1=70', schemata: ['L2:0=f'] }, 'one', at.path);
  expect(group).toEqual({ directory: at.join('one'), made: true });
  expect(readFileSync(at.join('one/schemata'), 'utf8')).toBe('L3:0=7f0;1=1f\nMB:0=20;1=70\nL2:0=f\n');
  joinRdtGroup(group, 1234);
  expect(readFileSync(at.join('one/tasks'), 'utf8')).toBe('1234');
});

test('a class that is there is used as it is, and has to be what was asked for', async () => {
  await using at = scratch();
  mkdirSync(at.join('guaranteed/mon_groups'), { recursive: true });
  writeFileSync(at.join('guaranteed/schemata'), '    MB:0= 20;1= 70\n    L3:0=07f0;1=001f\n');
  const before = readFileSync(at.join('guaranteed/schemata'), 'utf8');
  expect(makeRdtGroup({ closID: 'guaranteed' }, 'one', at.path).made).toBe(false);
  const group = makeRdtGroup({ closID: 'guaranteed', l3CacheSchema: 'L3:0=7F0', memBwSchema: 'MB:1=70', enableMonitoring: true }, 'one', at.path);
  expect(group).toEqual({ directory: at.join('guaranteed'), made: false, monitoring: at.join('guaranteed/mon_groups/one') });
  removeRdtGroup(group);
  expect([existsSync(at.join('guaranteed/mon_groups/one')), existsSync(at.join('guaranteed'))]).toEqual([false, true]);
  expect(readFileSync(at.join('guaranteed/schemata'), 'utf8')).toBe(before);
  expect(() => makeRdtGroup({ closID: 'guaranteed', l3CacheSchema: 'L3:0=7f0;1=ff' }, 'one', at.path)).toThrow(
    /guaranteed exists with other schemas than L3:0=7f0;1=ff/,
  );
  expect(() => makeRdtGroup({ closID: 'guaranteed', schemata: ['L2:0=f'] }, 'one', at.path)).toThrow(/other schemas than L2:0=f/);
});

test('a class that was asked for by its name stays for others', async () => {
  await using at = scratch();
  const group = makeRdtGroup({ closID: 'shared', l3CacheSchema: 'L3:0=f' }, 'one', at.path);
  expect(group).toEqual({ directory: at.join('shared'), made: false });
  removeRdtGroup(group);
  expect(makeRdtGroup({ closID: 'shared', l3CacheSchema: 'L3:0=f' }, 'two', at.path)).toEqual(group);
});

test('a class that nobody made and nobody describes is an error, and what failed leaves nothing', async () => {
  await using at = scratch();
  expect(() => makeRdtGroup({ closID: 'none' }, 'one', at.path)).toThrow(/no such class of service in .*: none/);
  // mon_groups is the kernel's to make, and is not there.
  expect(() => makeRdtGroup({ enableMonitoring: true }, 'one', at.path)).toThrow(/cannot create the class of service one/);
  expect(existsSync(at.join('one'))).toBe(false);
  const root = makeRdtGroup({ closID: '/' }, 'one', at.path);
  expect(root).toEqual({ directory: at.path, made: false });
  removeRdtGroup(root);
  expect(existsSync(at.path)).toBe(true);
});

test('a class is changed line by line, and what it refuses is an error', async () => {
  await using at = scratch();
  const group = makeRdtGroup({ l3CacheSchema: 'L3:0=f' }, 'one', at.path);
  changeRdtGroup(group, { memBwSchema: 'MB:0=20' });
  // A file keeps the last; the kernel takes each.
  expect(readFileSync(at.join('one/schemata'), 'utf8')).toBe('MB:0=20\n');
  mkdirSync(at.join('info'));
  writeFileSync(at.join('info/last_cmd_status'), 'Mask out of range\n');
  expect(() => changeRdtGroup({ ...group, directory: at.join('gone') }, { l3CacheSchema: 'L3:0=fff' })).toThrow(
    /cannot change the class of service gone: Mask out of range/,
  );
});
