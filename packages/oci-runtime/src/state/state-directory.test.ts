import { scratch } from '@lamella-test/scratch';
import { expect, test } from 'vitest';
import { claimId, listIds, stateDirectory } from './state-directory.js';

test.each(['one', 'a.b', 'A_1+2-3', 'x'.repeat(255)])('%s is an id', (id) => {
  expect(stateDirectory('/run/x', id)).toMatchObject({ id, path: `/run/x/${id}`, state: `/run/x/${id}/state.json` });
});

test.each(['', '.', '..', 'a/b', 'a b', '../x', 'x'.repeat(256)])("'%s' is not an id", (id) => {
  expect(() => stateDirectory('/run/x', id)).toThrow(expect.objectContaining({ code: 'ID_INVALID' }));
});

test('an id is claimed once', async () => {
  await using at = await scratch();
  const root = at.join('root');
  expect(listIds(root)).toEqual([]);
  claimId(root, stateDirectory(root, 'one'));
  expect(() => claimId(root, stateDirectory(root, 'one'))).toThrow(expect.objectContaining({ code: 'CONTAINER_EXISTS' }));
  claimId(root, stateDirectory(root, 'another'));
  expect(listIds(root)).toEqual(['another', 'one']);
});
