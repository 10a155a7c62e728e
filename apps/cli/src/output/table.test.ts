import { expect, test } from 'vitest';
import { styled } from './printable.js';
import { table } from './table.js';

const plain = (header: string[], rows: Parameters<typeof table>[1]): string[] => table(header, rows).map(String);

test('columns are as wide as their widest cell, two spaces apart', () => {
  expect(
    plain(
      ['ID', 'NAME'],
      [
        ['1', 'one'],
        ['1234', 'x'],
      ],
    ),
  ).toEqual(['ID    NAME', '1     one', '1234  x']);
});

test('a line ends with its last cell that is not empty', () => {
  expect(
    plain(
      ['A', 'B', 'C'],
      [
        ['1', '', ''],
        ['', '2', ''],
      ],
    ),
  ).toEqual(['A  B  C', '1', '   2']);
});

test('cells are escaped, and colors do not count as width', () => {
  expect(plain(['A', 'B'], [['x\n\u001b[0m', 'y']])).toEqual(['A           B', 'x\\n\\x1b[0m  y']);
  expect(plain(['A', 'B'], [[styled('red', 'x'), 'y']])).toEqual(['A  B', 'x  y']);
});
