import { describe, expect, test } from 'vitest';
import { AT, CLONE, O, S_IF } from '../ops/constants.js';
import { CLONE_FLAGS, fileMode, OPEN_TREE_FLAGS, openFlags } from './flag-names.js';
import { flags, named, octal, quoted } from './notation.js';

describe('flags', () => {
  const names = named('F_', { B: 2, A: 1, NONE: 0, HIGH: 2 ** 40 });

  test.for<[value: number, text: string]>([
    [0, '0'],
    [3, 'F_A|F_B'],
    [5, 'F_A|0x4'],
    [2 ** 40 + 2, 'F_B|F_HIGH'],
    [0x80000000, '0x80000000'],
  ])('%d is %s', ([value, text]) => expect(flags(value, names)).toBe(text));

  test('names the flags of clone and open_tree', () => {
    expect(flags(CLONE.NEWNS | CLONE.NEWPID, CLONE_FLAGS)).toBe('CLONE_NEWNS|CLONE_NEWPID');
    expect(flags(1 | O.CLOEXEC | AT.EMPTY_PATH, OPEN_TREE_FLAGS)).toBe('OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC|AT_EMPTY_PATH');
  });
});

describe('open flags', () => {
  test.for<[value: number, text: string]>([
    [0, 'O_RDONLY'],
    [O.WRONLY | O.CREAT | O.EXCL, 'O_WRONLY|O_CREAT|O_EXCL'],
    [O.PATH | O.DIRECTORY | O.CLOEXEC, 'O_RDONLY|O_CLOEXEC|O_PATH|O_DIRECTORY'],
  ])('%d is %s', ([value, text]) => expect(openFlags(value)).toBe(text));
});

describe('modes', () => {
  test.for<[mode: number, text: string]>([
    [0, '000'],
    [0o7, '007'],
    [0o644, '0644'],
    [0o4755, '04755'],
  ])('%d is %s in octal', ([mode, text]) => expect(octal(mode)).toBe(text));

  test('a type has a name', () => {
    expect(fileMode(S_IF.IFCHR | 0o666)).toBe('S_IFCHR|0666');
    expect(fileMode(0o666)).toBe('0666');
  });
});

describe('quoted strings', () => {
  test.for<[value: string | Uint8Array | null, text: string]>([
    [null, 'NULL'],
    ['', '""'],
    ['a "b" \\', '"a \\"b\\" \\\\"'],
    ['\n\r\t\v\f', '"\\n\\r\\t\\v\\f"'],
    ['é', '"\\303\\251"'],
    [Uint8Array.of(0xff), '"\\377"'],
    [Uint8Array.of(1, 0x41), '"\\1A"'],
    // A digit after a short octal escape would be part of the escape.
    [Uint8Array.of(1, 0x37), '"\\0017"'],
  ])('%j is %s', ([value, text]) => expect(quoted(value)).toBe(text));
});
