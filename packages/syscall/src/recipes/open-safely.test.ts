import { describe, expect, test } from 'vitest';
import { O, RESOLVE } from '../ops/constants.js';
import { AT_FDCWD } from '../ops/op.js';
import { openBeneath, openInRoot, openWithoutLinks } from './open-safely.js';

describe('openInRoot', () => {
  test('stays in the root and refuses magic links', () =>
    expect(openInRoot(5, '/etc', 6)).toEqual({
      op: 'openat2',
      dirfd: 5,
      pathname: '/etc',
      flags: O.PATH | O.CLOEXEC,
      mode: 0,
      resolve: RESOLVE.IN_ROOT | RESOLVE.NO_MAGICLINKS,
      out: 6,
    }));

  test('can refuse all links', () => expect(openInRoot(5, '/etc', 6, { symlinks: false }).resolve).toBe(RESOLVE.IN_ROOT | RESOLVE.NO_SYMLINKS));

  test('opens a directory for reading', () =>
    expect(openInRoot(5, '/etc', 6, { access: O.RDONLY, directory: true }).flags).toBe(O.RDONLY | O.DIRECTORY | O.CLOEXEC));
});

test('openBeneath follows no link and does not leave the directory', () =>
  expect(openBeneath(5, 'a/b', 6, { directory: true })).toMatchObject({
    dirfd: 5,
    flags: O.PATH | O.DIRECTORY | O.CLOEXEC,
    resolve: RESOLVE.BENEATH | RESOLVE.NO_SYMLINKS,
  }));

test('openWithoutLinks starts at the host’s root', () =>
  expect(openWithoutLinks('/a', 6)).toMatchObject({ dirfd: AT_FDCWD, resolve: RESOLVE.NO_SYMLINKS | RESOLVE.NO_MAGICLINKS }));
