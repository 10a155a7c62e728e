import { AT, MOUNT_ATTR, type Op, slotAllocator } from '@lamella/syscall';
import { expect, test } from 'vitest';
import { checkMasked, maskedPaths, readonlyPaths } from './hidden-paths.js';

const moves = (ops: readonly Op[]) => ops.filter(({ op }) => op === 'move_mount');
/** What the interpreter reports when these ops fail because the mount does not fit the type of the path. */
const refused = (ops: readonly Op[]) => new Map(ops.map((op) => [op, 'EINVAL']));

test('each path is masked once, by an empty read-only directory or by /dev/null', () => {
  const ops = maskedPaths(['/proc/kcore', '/proc/kcore', '/sys/firmware'], 9, slotAllocator());
  expect(moves(ops).length).toBe(4);
  expect(ops.filter(({ op }) => op === 'covered')).toMatchObject([
    { rootfd: 9, readonly: 0, pathname: '/proc/kcore' },
    { rootfd: 9, readonly: 0, pathname: '/sys/firmware' },
  ]);
  for (const op of ops) if (op.op === 'fsmount') expect(op.mount_attrs & MOUNT_ATTR.RDONLY).toBe(MOUNT_ATTR.RDONLY);
  for (const op of moves(ops)) expect(op).toMatchObject({ ignore: expect.arrayContaining(['EINVAL']) });
});

test('a path that neither kind of mount covers fails the start', () => {
  const [first, second, third, fourth] = moves(maskedPaths(['/a', '/b'], 9, slotAllocator())) as [Op, Op, Op, Op];
  expect(() => checkMasked(refused([first, second]))).toThrow(/maskedPaths \/a: cannot mount/);
  // One refusal for each path is what every file, and every directory, causes.
  expect(() => checkMasked(refused([first, fourth]))).not.toThrow();
  expect(() => checkMasked(refused([second, third]))).not.toThrow();
  expect(() =>
    checkMasked(
      new Map([
        [first, 'EINVAL'],
        [second, 'EBADF'],
      ]),
    ),
  ).not.toThrow();
});

test('a read-only path is cloned with the mounts below it', () => {
  const ops = readonlyPaths(['/proc/sys'], 9, slotAllocator());
  expect(ops.find(({ op }) => op === 'open_tree')).toMatchObject({ flags: expect.toSatisfy((flags: number) => (flags & AT.RECURSIVE) !== 0) });
  expect(ops.find(({ op }) => op === 'mount_setattr')).toMatchObject({ attr_set: MOUNT_ATTR.RDONLY, attr_clr: 0 });
  expect(ops.at(-1)).toMatchObject({ op: 'covered', readonly: 1, pathname: '/proc/sys' });
});
