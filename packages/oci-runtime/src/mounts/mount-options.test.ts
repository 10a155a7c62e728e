import { MOUNT_ATTR, MS } from '@lamella/syscall';
import { expect, test } from 'vitest';
import { attributesOf, MOUNT_OPTIONS, planMount } from './mount-options.js';

const plan = (...options: string[]) => planMount({ options });

test('flags and options of the filesystem are told apart', () => {
  expect(plan('nosuid', 'ro', 'size=64k', 'defaults', 'mode=700')).toMatchObject({
    flags: MS.NOSUID | MS.RDONLY,
    cleared: 0,
    bind: undefined,
    data: 'size=64k,mode=700',
  });
});

test('the later of two contradictory options counts', () => {
  expect(plan('ro', 'rw')).toMatchObject({ flags: 0, cleared: MS.RDONLY });
  expect(plan('rw', 'ro')).toMatchObject({ flags: MS.RDONLY, cleared: 0 });
  expect(plan('bind', 'rbind').bind).toBe('rbind');
});

test('a type bind is recursive unless an option says otherwise', () => {
  expect(planMount({ type: 'bind' }).bind).toBe('rbind');
  expect(planMount({ type: 'bind', options: ['bind'] }).bind).toBe('bind');
  expect(planMount({ type: 'tmpfs' }).bind).toBeUndefined();
});

test('propagation keeps its order', () => {
  expect(plan('shared', 'rslave').propagation).toEqual([MS.SHARED, MS.SLAVE + MS.REC]);
});

test('recursive attributes are set and cleared', () => {
  expect(plan('rro', 'rnosuid').recursive).toEqual({ set: MOUNT_ATTR.RDONLY | MOUNT_ATTR.NOSUID, clear: 0 });
  expect(plan('rro', 'rrw').recursive).toEqual({ set: 0, clear: MOUNT_ATTR.RDONLY });
  expect(plan('rrw', 'rro').recursive).toEqual({ set: MOUNT_ATTR.RDONLY, clear: 0 });
  // A new access time policy clears the whole field first (mount_setattr(2)).
  expect(plan('rnoatime').recursive).toEqual({ set: MOUNT_ATTR.NOATIME, clear: 0x70 });
  expect(plan('rnoatime', 'rstrictatime').recursive).toEqual({ set: MOUNT_ATTR.STRICTATIME, clear: 0x70 });
});

test('options of the runtime are no options of the filesystem', () => {
  expect(plan('idmap', 'tmpcopyup', 'remount', 'acl')).toMatchObject({ idmap: 'idmap', tmpcopyup: true, remount: true, data: '' });
  for (const option of MOUNT_OPTIONS) expect(plan(option).data).toBe('');
});

test('flags of mount(2) become attributes of mount_setattr(2)', () => {
  expect(attributesOf(MS.RDONLY | MS.NODEV | MS.NOATIME)).toBe(MOUNT_ATTR.RDONLY | MOUNT_ATTR.NODEV | MOUNT_ATTR.NOATIME);
  expect(attributesOf(MS.SYNCHRONOUS)).toBe(0);
});
