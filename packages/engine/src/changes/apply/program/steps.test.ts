import { expect, test } from 'vitest';
import { change } from '../inspect/change.test.cases.js';
import { Links } from '../inspect/hard-links.js';
import { workFor } from './steps.js';

const work = (changes: ReturnType<typeof change>[], conflicts: ReturnType<typeof change>[] = []) =>
  workFor(changes, new Links(changes, () => undefined), conflicts);
const stepsOf = (changes: ReturnType<typeof change>[]) => work(changes).steps.map((step) => [step.do, step.name]);

test('each kind of change has its step', () => {
  expect(
    stepsOf([
      change('a', undefined, 'file'),
      change('b', 'file', 'file'),
      change('c', 'file', undefined),
      change('d', 'directory', 'directory'),
      change('e', 'file', 'directory'),
      change('f', 'directory', 'file'),
    ]),
  ).toEqual([
    ['put', 'a'],
    ['replace', 'b'],
    ['remove', 'c'],
    ['metadata', 'd'],
    ['swap', 'e'],
    ['swap', 'f'],
  ]);
});

test('a new directory is staged with all that is in it, by one step', () => {
  const { steps, staged, replaced } = work([change('new', undefined, 'directory'), change('new/file', undefined, 'file'), change('newer', undefined, 'file')]);
  expect(steps.map(({ name }) => name)).toEqual(['new', 'newer']);
  expect(staged.map(({ name, to }) => [name, to])).toEqual([
    ['new', '0'],
    ['new/file', '0/file'],
    ['newer', '1'],
  ]);
  expect(replaced).toEqual([]);
});

test('a removed directory is kept with all that is in it, by one step', () => {
  const { steps, replaced } = work([change('old', 'directory', undefined), change('old/file', 'file', undefined)]);
  expect(steps.map(({ do: what, name }) => [what, name])).toEqual([['remove', 'old']]);
  expect(replaced.map(({ name, to }) => [name, to])).toEqual([
    ['old', '0'],
    ['old/file', '0/file'],
  ]);
});

test('names of one new file are staged once, and linked', () => {
  const file = { inode: '1:7', links: 2 };
  const { staged } = work([change('a', undefined, 'file', file), change('b', undefined, 'file', file)]);
  expect(staged.map(({ to, linkTo }) => [to, linkTo])).toEqual([
    ['0', undefined],
    ['1', '0'],
  ]);
});

test('a step for a target that the host changed, or for one that has such a target in it, is marked', () => {
  const [directory, file] = [change('d', 'directory', undefined), change('d/file', 'file', undefined)];
  const other = change('other', 'file', 'file');
  expect(work([directory, file, other], [file]).steps.map(({ name, conflict }) => [name, conflict])).toEqual([
    ['d', true],
    ['other', undefined],
  ]);
});
