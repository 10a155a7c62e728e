import type { ContainerChange } from '@lamella/engine';
import { expect, test } from 'vitest';
import { ChangeTally } from './change-tally.js';
import { describeChange, describeTally, Grouping } from './describe-change.js';

const file = (size: number, more: object = {}): object => ({ type: 'file', size, mode: 0o644, uid: 0, gid: 0, ...more });
const directory = { type: 'directory', size: 0, mode: 0o755, uid: 0, gid: 0 };
const view = {};
const change = (given: object): ContainerChange => ({ view, aspects: [], ...given }) as unknown as ContainerChange;
const line = (given: object): string => String(describeChange(change(given)));

test.each<[object, string]>([
  [{ kind: 'added', path: '/a', after: file(1200) }, 'A /a  1.2 kB'],
  [{ kind: 'deleted', path: '/d', before: directory }, 'D /d/'],
  [{ kind: 'added', path: '/l', after: { type: 'symlink', target: '/x', size: 2 } }, 'A /l -> /x'],
  [{ kind: 'added', path: '/n\n', after: file(0) }, 'A /n\\n  0 B'],
  [{ kind: 'added', path: '/p', after: { type: 'fifo', size: 0 } }, 'A /p  fifo'],
  [{ kind: 'modified', path: '/f', aspects: ['content'], before: file(1), after: file(2) }, 'M /f  1 B -> 2 B'],
  [
    { kind: 'modified', path: '/f', aspects: ['mode', 'owner'], before: file(1), after: file(1, { mode: 0o600, uid: 5 }) },
    'M /f  mode 644 -> 600, owner 0:0 -> 5:0, 1 B',
  ],
  [{ kind: 'deleted', path: '/old', before: file(3), renamed: '/new' }, 'D /old  3 B, is now /new'],
])('%j', (given, text) => {
  expect(line(given)).toBe(text);
});

test('a new directory and its content are one line', () => {
  const grouping = new Grouping();
  const lines = [
    change({ kind: 'added', path: '/d', after: directory }),
    change({ kind: 'added', path: '/d/a', after: file(1000) }),
    change({ kind: 'added', path: '/d/b', after: file(500) }),
    change({ kind: 'deleted', path: '/e', before: file(1) }),
  ].flatMap((each) => grouping.add(each));
  expect([...lines, ...grouping.end()].map(String)).toEqual(['A /d/  with 2 entries, 1.5 kB', 'D /e  1 B']);
});

test('the total counts changes and bytes', () => {
  const tally = new ChangeTally();
  expect(String(describeTally(tally))).toBe('No changes.');
  tally.add(change({ kind: 'added', path: '/a', after: file(5) }));
  tally.add(change({ kind: 'modified', path: '/b', before: file(9), after: file(2) }));
  tally.add(change({ kind: 'deleted', path: '/c', before: file(1) }));
  expect(String(describeTally(tally))).toBe('1 added, 1 modified, 1 deleted (+5 B, -8 B)');
});
