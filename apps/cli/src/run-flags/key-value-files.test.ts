import { writeFileSync } from 'node:fs';
import { scratch } from '@lamella-test/scratch';
import { expect, test } from 'vitest';
import { readKeyValueFiles } from './key-value-files.js';

test('files are read as Docker reads them', async () => {
  await using at = await scratch();
  writeFileSync(at.join('one'), '\ufeffA=1\n# comment\n\n  B=two words \r\nC\nD=a=b\nE=');
  writeFileSync(at.join('two'), 'A=2\n');
  expect(readKeyValueFiles([at.join('one'), at.join('two')], 'a variable')).toEqual(['A=1', 'B=two words ', 'C', 'D=a=b', 'E=', 'A=2']);
});

test.each(['=x', 'A B=1', 'A\tB'])("the line '%s' is refused by its number", async (line) => {
  await using at = await scratch();
  writeFileSync(at.join('file'), `A=1\n${line}\n`);
  expect(() => readKeyValueFiles([at.join('file')], 'a label')).toThrow(`line 2 of ${at.join('file')} is not a label: '${line}'`);
});

test('a file that is missing is named', () => {
  expect(() => readKeyValueFiles(['/no/such'], 'a variable')).toThrow('cannot read the environment file /no/such: ENOENT');
  expect(() => readKeyValueFiles(['/no/such'], 'a label')).toThrow('cannot read the label file /no/such: ENOENT');
});
