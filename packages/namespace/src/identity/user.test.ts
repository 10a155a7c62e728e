import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { scratch } from '@lamella-test/scratch';
import { expect, test } from 'vitest';
import { findUser, rootfsLines } from '../index.js';

test('users are found by name and number in the image, and need not be in it as a number', async () => {
  await using at = scratch();
  mkdirSync(at.join('etc'));
  writeFileSync(at.join('etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n# a comment\napp:x:1000:1001:App:/srv/app:/bin/sh\n77:x:5:6::/odd:/bin/sh\n');
  writeFileSync(at.join('etc/group'), 'root:x:0:\napp:x:1001:\nwheel:x:10:root,app\naudio:x:29:app\n');
  const layers = [at.path];
  expect(findUser('app', layers)).toEqual({ uid: 1000, gid: 1001, groups: [10, 29], home: '/srv/app' });
  expect(findUser('1000', layers)).toEqual({ uid: 1000, gid: 1001, groups: [10, 29], home: '/srv/app' });
  expect(findUser('app:wheel', layers)).toEqual({ uid: 1000, gid: 10, groups: [], home: '/srv/app' });
  expect(findUser('4242:4343', layers)).toEqual({ uid: 4242, gid: 4343, groups: [], home: '/' });
  expect(findUser('4242', layers)).toEqual({ uid: 4242, gid: 0, groups: [], home: '/' });
  // A number is a number, whatever the image calls so (CVE-2026-46680).
  expect(findUser('77', layers)).toEqual({ uid: 77, gid: 0, groups: [], home: '/' });
  expect(findUser('', layers)).toMatchObject({ uid: 0, gid: 0, groups: [10], home: '/root' });
});

test.for([
  ['nobody-here', 'USER_NOT_FOUND'],
  ['0:nogroup-here', 'GROUP_NOT_FOUND'],
  ['root:', 'USER_NOT_FOUND'],
  ['a:b:c', 'USER_INVALID'],
  ['4294967295', 'USER_INVALID'],
] as const)('%s is refused', async ([user, code]) => {
  await using at = scratch();
  expect(() => findUser(user, [at.path])).toThrow(expect.objectContaining({ code, hint: expect.any(String) }));
});

test("an image's files are read as its processes would see them, never the host's", async () => {
  await using at = scratch();
  for (const name of ['top/etc', 'bottom/etc', 'bottom/real']) mkdirSync(at.join(name), { recursive: true });
  writeFileSync(at.join('bottom/etc/below'), 'below');
  writeFileSync(at.join('bottom/real/file'), 'inside');
  symlinkSync('/real/file', at.join('top/etc/absolute'));
  symlinkSync('../../../../../../etc/hostname', at.join('top/etc/upwards'));
  symlinkSync('loop', at.join('top/etc/loop'));
  const layers = [at.join('top'), at.join('bottom')];
  const read = (file: string): string => [...rootfsLines(layers, file)].join();
  expect(read('/etc/below')).toBe('below');
  expect(read('/etc/absolute')).toBe('inside');
  expect(read('/etc/upwards')).toBe('');
  expect(read('/etc/loop')).toBe('');
  expect(() => read('/etc')).toThrow(expect.objectContaining({ code: 'FILE_IRREGULAR' }));
  writeFileSync(at.join('top/real'), 'a file hides a directory below');
  expect(read('/real/file')).toBe('');
});
