import { CLONE, type Op, slotAllocator } from '@lamella/syscall';
import { expect, test } from 'vitest';
import type { OciLinux } from '../config/schema.js';
import { planNamespaces, setnsFlags } from './namespaces.js';

const plan = (linux: Partial<OciLinux>) => planNamespaces(linux as OciLinux, slotAllocator());
const entered = (ops: readonly Op[]) => ops.flatMap((op) => (op.op === 'setns' ? [{ nstype: op.nstype, ignore: op.ignore ?? [] }] : []));

test('clone(2) makes the new namespaces, except that of cgroups', () => {
  const { cloneFlags, made, outside } = plan({ namespaces: [{ type: 'pid' }, { type: 'mount' }, { type: 'user' }, { type: 'cgroup' }, { type: 'time' }] });
  expect(cloneFlags).toBe(CLONE.NEWPID | CLONE.NEWNS | CLONE.NEWUSER | CLONE.NEWTIME);
  expect([...made]).toContain('cgroup');
  expect(outside).toEqual([]);
});

test('a time namespace with offsets is made before the clone, which is in it then', () => {
  const { cloneFlags, outside } = plan({ namespaces: [{ type: 'time' }, { type: 'uts' }], timeOffsets: { monotonic: { secs: 5 }, boottime: { nanosecs: 7 } } });
  expect(cloneFlags).toBe(CLONE.NEWUTS);
  expect(outside).toMatchObject([
    { op: 'unshare', flags: CLONE.NEWTIME },
    { op: 'write_file', data: 'monotonic 5 0\nboottime 0 7\n' },
  ]);
});

test('all namespaces are opened before one is joined, and that of mounts is the last', () => {
  const { outside, made, cloneFlags } = plan({
    namespaces: [
      { type: 'mount', path: '/run/mnt' },
      { type: 'network', path: '/run/net' },
      { type: 'ipc', path: '/run/ipc' },
    ],
  });
  expect(outside.map(({ op }) => op)).toEqual(['openat', 'openat', 'openat', 'setns', 'setns', 'setns']);
  expect(entered(outside).map(({ nstype }) => nstype)).toEqual([CLONE.NEWNET, CLONE.NEWIPC, CLONE.NEWNS]);
  expect(made.size + cloneFlags).toBe(0);
});

test('namespaces are tried with the rights of the outer user namespace, and of the joined one', () => {
  const { outside } = plan({
    namespaces: [
      { type: 'user', path: '/run/user' },
      { type: 'network', path: '/run/net' },
    ],
  });
  expect(entered(outside)).toEqual([
    { nstype: CLONE.NEWNET, ignore: ['EPERM'] },
    { nstype: CLONE.NEWUSER, ignore: [] },
    { nstype: CLONE.NEWNET, ignore: [] },
  ]);
});

test('the flags of some namespaces are summed up', () => {
  expect(setnsFlags(['pid', 'uts'])).toBe(CLONE.NEWPID | CLONE.NEWUTS);
  expect(setnsFlags([])).toBe(0);
});
