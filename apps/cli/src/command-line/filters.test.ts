import { expect, test } from 'vitest';
import { filtersOf, hasLabels, oneOf, pattern } from './filters.js';

test('values are collected by key, and a value may contain =', () => {
  expect(filtersOf(['label=a=b', 'Label = c', 'status=exited'], ['label', 'status'])).toEqual(
    new Map([
      ['label', ['a=b', 'c']],
      ['status', ['exited']],
    ]),
  );
  expect(filtersOf(undefined, [])).toEqual(new Map());
  expect(filtersOf(['label!=a'], ['label', 'label!']).get('label')).toBeUndefined();
});

test.each(['status', 'luck=1', '=x', ''])("the filter '%s' is refused", (word) => {
  expect(() => filtersOf([word], ['status', 'label'])).toThrow(
    expect.objectContaining({ message: `invalid filter '${word}'`, hint: 'Use KEY=VALUE with one of status, label.' }),
  );
});

test('labels match by key, or by key and value', () => {
  const labels = { app: 'web', empty: '' };
  expect(hasLabels(labels, [])).toBe(true);
  expect(hasLabels(labels, ['app', 'app=web', 'empty='])).toBe(true);
  expect(hasLabels(labels, ['app=db'])).toBe(false);
  expect(hasLabels(labels, ['app=web', 'none'])).toBe(false);
  expect(hasLabels(labels, ['constructor'])).toBe(false);
});

test('a pattern is a regular expression of Go', () => {
  expect(pattern('^web').test('web-1')).toBe(true);
  expect(pattern('eb').test('web-1')).toBe(true);
  expect(pattern('(?i)WEB').test('web')).toBe(true);
  expect(() => pattern('(')).toThrow(/invalid regular expression '\('/);
});

test('a value of a set is checked', () => {
  expect(oneOf('status', ['running'], ['running', 'exited'])).toEqual(['running']);
  expect(() => oneOf('status', ['luck'], ['running', 'exited'])).toThrow("invalid value 'luck' for the filter status");
});
