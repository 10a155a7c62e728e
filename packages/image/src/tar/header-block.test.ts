import fc from 'fast-check';
import { Header as Witness } from 'tar/header';
import { expect, test } from 'vitest';
import { Header, type HeaderFields } from './header-block.js';

const name = fc
  .array(fc.constantFrom('a', 'b', '/', '.', '-', '~', ' '), { minLength: 1, maxLength: 99 })
  .map((each) => each.join(''))
  // node-tar takes a slash at the end of a file's name for a directory.
  .filter((each) => !each.endsWith('/'));
const fields: fc.Arbitrary<HeaderFields> = fc.record(
  {
    path: name,
    linkpath: name,
    mode: fc.nat(0o7777),
    uid: fc.nat(0o7777777),
    gid: fc.nat(0o7777777),
    size: fc.nat(0o77777777777),
    mtime: fc.nat(0o77777777777).map((seconds) => new Date(seconds * 1000)),
    type: fc.constantFrom('File', 'Link', 'SymbolicLink', 'CharacterDevice', 'BlockDevice', 'Directory', 'FIFO', 'ExtendedHeader'),
    devmaj: fc.nat(0o7777777),
    devmin: fc.nat(0o7777777),
  },
  { requiredKeys: ['path', 'mode', 'uid', 'gid', 'size', 'mtime', 'type'] },
);

function encoded(header: { encode(block: Buffer, offset: number): unknown }): Buffer {
  const block = Buffer.alloc(1024);
  header.encode(block, 512);
  return block;
}

test('headers are node-tar’s, byte for byte', () => {
  fc.assert(
    fc.property(fields, (each) => {
      expect(encoded(new Header(each)).equals(encoded(new Witness({ linkpath: '', ...each })))).toBe(true);
    }),
  );
});

test('a name of 100 bytes is whole, and a longer one is refused', () => {
  const of = (path: string): Header => new Header({ path, mode: 0, uid: 0, gid: 0, size: 0, mtime: new Date(0), type: 'File' });
  expect(encoded(of('x'.repeat(100))).toString('latin1', 512, 613)).toBe(`${'x'.repeat(100)}0`);
  expect(() => encoded(of('x'.repeat(101)))).toThrow(RangeError);
});

test.each([-1, 0.5, 0o100000000000, Number.NaN])('a size of %d is refused', (size) => {
  expect(() => encoded(new Header({ path: 'x', mode: 0, uid: 0, gid: 0, size, mtime: new Date(0), type: 'File' }))).toThrow(RangeError);
});
