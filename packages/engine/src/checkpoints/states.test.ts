import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { type ScratchDirectory, scratch } from '@lamella-test/scratch';
import { expect, test } from 'vitest';
import { readFrozen, readHistory, readParent } from './states.js';

/** Writes a state as a checkpoint leaves it. */
function state(at: ScratchDirectory, id: string, { parent, about, squashed }: { parent?: string; about?: string; squashed?: string } = {}): void {
  mkdirSync(at.join(`frozen/${id}`), { recursive: true });
  if (parent !== undefined) symlinkSync(parent, at.join(`frozen/${id}/parent`));
  if (about !== undefined) writeFileSync(at.join(`frozen/${id}/about`), about);
  if (squashed !== undefined) symlinkSync(squashed, at.join(`frozen/${id}/squashed`));
}

function container(at: ScratchDirectory, { frozen, history = [] }: { frozen?: string; history?: readonly string[] }): string {
  const directory = at.join('containers/c1');
  mkdirSync(at.join('containers/c1/history'), { recursive: true });
  if (frozen !== undefined) symlinkSync(frozen, at.join('containers/c1/frozen'));
  for (const id of history) writeFileSync(at.join(`containers/c1/history/${id}`), '');
  return directory;
}

test('a container stands on its last checkpoint, and on those before it', async () => {
  await using at = scratch();
  state(at, 'one');
  state(at, 'two', { parent: 'one' });
  state(at, 'three', { parent: 'two' });
  expect(readFrozen(at.path, container(at, { frozen: 'three' }))).toEqual(['three', 'two', 'one']);
  expect(readParent(at.path, 'one')).toBeUndefined();
});

test('a container without a checkpoint stands on its image only', async () => {
  await using at = scratch();
  expect(readFrozen(at.path, container(at, {}))).toEqual([]);
  expect(await readHistory(at.path, at.join('containers/none'))).toEqual([]);
});

test('checkpoints come oldest first, and the parent decides between equal times', async () => {
  await using at = scratch();
  const about = (created: number, message?: string): string => JSON.stringify({ created: new Date(created).toISOString(), message });
  state(at, 'c', { parent: 'a', about: about(2000) });
  state(at, 'a', { parent: 'b', about: about(1000, 'second') });
  state(at, 'b', { about: about(1000, 'first') });
  const found = await readHistory(at.path, container(at, { history: ['a', 'b', 'c'] }));
  expect(found.map(({ id, message }) => [id, message])).toEqual([
    ['b', 'first'],
    ['a', 'second'],
    ['c', undefined],
  ]);
});

test('a checkpoint whose making was interrupted does not count, and a torn comment loses the comment only', async () => {
  await using at = scratch();
  state(at, 'torn', { about: '{"created": "2026-01-0' });
  const found = await readHistory(at.path, container(at, { history: ['torn', 'never-made'] }));
  expect(found).toMatchObject([{ id: 'torn', message: undefined, parent: undefined }]);
  expect(found[0]?.created.getTime()).toBeGreaterThan(0);
});

test('the parent of a checkpoint that was squashed is the newest that the squashed state contains', async () => {
  await using at = scratch();
  state(at, 'squash', { squashed: 'old' });
  state(at, 'new', { parent: 'squash' });
  expect(await readHistory(at.path, container(at, { history: ['new'] }))).toMatchObject([{ id: 'new', parent: 'old' }]);
});
