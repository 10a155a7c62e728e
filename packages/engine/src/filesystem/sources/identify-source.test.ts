import { mkdirSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { scratch } from '@lamella-test/scratch';
import { expect, test } from 'vitest';
import type { Source } from '../../model/source.js';
import { differenceOf, lookAt } from './identify-source.js';

const [EXT4, XFS, BTRFS, TMPFS, FUSE] = [0xef53, 0x58465342, 0x9123683e, 0x01021994, 0x65735546];

const was: Source = {
  path: '/p',
  identity: { type: 0o040000, major: 8, minor: 1, inode: '12', birthSeconds: 100, birthNanoseconds: 5 },
  filesystem: EXT4,
  look: { mode: 0o040755, uid: 0, gid: 0 },
  boot: 'one',
};
const like = (identity: Partial<Source['identity']>, more: Partial<Source> = {}): Source => ({ ...was, ...more, identity: { ...was.identity, ...identity } });
const on = (filesystem: number, source: Source = was): Source => ({ ...source, filesystem });
const inAnotherBoot = (source: Source): Source => ({ ...source, boot: 'two' });

test('inode number and birth time are compared in every boot', () => {
  for (const later of [(each: Source) => each, inAnotherBoot]) {
    expect(differenceOf(was, later(was))).toBeUndefined();
    expect(differenceOf(was, later(like({ inode: '13' })))).toBe('object');
    expect(differenceOf(was, later(like({ birthNanoseconds: 6 })))).toBe('object');
    expect(differenceOf(was, later(like({ type: 0o100000 })))).toBe('type');
    expect(differenceOf(was, later(on(XFS)))).toBe('filesystem');
  }
});

test('a birth time that one side does not know is no difference', () => {
  const unborn = { birthSeconds: 0, birthNanoseconds: 0 };
  for (const later of [(each: Source) => each, inAnotherBoot])
    for (const [one, other] of [
      [was, like(unborn)],
      [like(unborn), was],
    ] as const) {
      expect(differenceOf(one, later(other))).toBeUndefined();
      expect(differenceOf(one, later({ ...other, identity: { ...other.identity, inode: '13' } }))).toBe('object');
    }
  // Then the number of the filesystem has to tell.
  expect(differenceOf(was, like({ ...unborn, minor: 17 }))).toBe('filesystem');
  expect(differenceOf(like(unborn), like({ minor: 17 }))).toBe('filesystem');
});

test('the number of a filesystem belongs to a boot, and counts where it is needed', () => {
  const elsewhere = like({ minor: 17 });
  expect(differenceOf(was, inAnotherBoot(elsewhere))).toBeUndefined();
  // A disk that was plugged in again.
  expect(differenceOf(was, elsewhere)).toBeUndefined();
  // A snapshot has the same numbers and times.
  expect(differenceOf(on(BTRFS), on(BTRFS, elsewhere))).toBe('filesystem');
  const unborn = { birthSeconds: 0, birthNanoseconds: 0 };
  expect(differenceOf(like(unborn), like({ ...unborn, minor: 17 }))).toBe('filesystem');
});

test('filesystems in memory begin anew with each boot, and some make their numbers up', () => {
  const other = on(TMPFS, like({ inode: '99', birthSeconds: 900 }));
  expect(differenceOf(on(TMPFS), other)).toBe('object');
  expect(differenceOf(on(TMPFS), inAnotherBoot(other))).toBeUndefined();
  expect(differenceOf(on(TMPFS), inAnotherBoot(on(TMPFS, like({ type: 0o120000 }))))).toBe('type');
  expect(differenceOf(on(FUSE, like({ inode: '0' })), on(FUSE, like({ inode: '0', minor: 17 })))).toBeUndefined();
});

test('a device is its number', () => {
  const device = like({ type: 0o020000 }, { device: '259' });
  expect(differenceOf(device, { ...device, identity: { ...device.identity, inode: '77' } })).toBeUndefined();
  expect(differenceOf(device, { ...device, device: '261' })).toBe('device');
});

test('what is done to an object leaves it the same, and another of its name is not', async () => {
  await using at = scratch();
  mkdirSync(at.join('p'));
  const first = lookAt(at.join('p'));
  writeFileSync(at.join('p/new'), '');
  utimesSync(at.join('p'), 1, 2);
  expect(differenceOf(first, lookAt(at.join('p')))).toBeUndefined();
  expect(first.identity.inode).toBe(String(statSync(at.join('p')).ino));
  renameSync(at.join('p'), at.join('q'));
  expect(differenceOf(first, { ...lookAt(at.join('q')), path: at.join('p') })).toBeUndefined();
  // Its inode number may be the same, its birth is not.
  rmSync(at.join('q'), { recursive: true });
  for (let i = 0; i < 20; i++) {
    mkdirSync(at.join('p'));
    expect(differenceOf(first, lookAt(at.join('p')))).toBe('object');
    rmSync(at.join('p'), { recursive: true });
  }
});
