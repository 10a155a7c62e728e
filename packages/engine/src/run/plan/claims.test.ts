import { expect, test } from 'vitest';
import { claimsOf } from './claims.js';

const stack = { upperdir: '/c/upper', workdir: '/c/work', merged: '/c/merged' };
const directory = (path: string): object => ({ kind: 'directory', path });

test('a container that is thrown away has everything in its directory, and claims nothing else', () => {
  expect(claimsOf({}, stack, ['/c/work.1'], false)).toEqual([]);
});

test('a kept container keeps its upper directory, and releases the rest', () => {
  expect(claimsOf({ keep: true }, stack, ['/c/work.1'], false)).toEqual(['/c/work.1', '/c/work', '/c/merged'].map(directory));
});

test('a workspace releases its upper directory, too, and the mount on the host before that', () => {
  expect(claimsOf({ workspace: '/w' }, stack, [], true)).toEqual([
    ...['/c/upper', '/c/work', '/c/merged'].map(directory),
    { kind: 'mount', path: '/c/merged', upperdir: '/c/upper' },
  ]);
});
