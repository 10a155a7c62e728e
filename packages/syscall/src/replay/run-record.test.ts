import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Program } from '../ops/op.js';
import { sealText } from '../text/sealed-text.js';
import { encodeProgram } from '../wire/encode.js';
import { CONDITION, hashOf } from './condition.js';
import { COMMAND_WORDS, encodeRecord, type RunRecord } from './record-file.js';
import { type Filling, fillTemplate, HOLE_MARKS, HOLE_MARKS_WITH_SLASH, TemplateError, templateOfProgram, templateOfText } from './template.js';

/** The record of a run as TypeScript writes it and as the launcher, with ASan and UBSan, reads and fills it. */

const native = path.join(import.meta.dirname, '../../native');
const sanitized = path.join(native, 'build/lamella-init-sanitized');
const HEAD = 16;

beforeAll(() => {
  mkdirSync(path.dirname(sanitized), { recursive: true });
  const built = spawnSync(process.execPath, [path.join(native, 'build.mjs'), sanitized, '--sanitize'], { encoding: 'utf8' });
  expect(built.stderr).toBe('');
}, 120_000);

/** What entry/hosted.c fills templates with, apart from the words. */
const FILLING = { id: '0123456789ab', name: 'curious_noether', created: '2026-11-27T16:55:01.234Z', rows: 33, columns: 144 };

/** A program in which everything that can be a hole is one. */
function programFor({ id, name, created, words, rows, columns }: Filling): Program {
  const config = { version: 1, id, created, args: ['entry "point"', ...words], spec: { name, args: words, terminal: { rows, columns } }, note: 'é 𐍈' };
  const time = Date.parse(created);
  const event = { event: 'exec', time: Math.floor(time / 1000), timeNs: (time % 1000) * 1e6, id, name };
  const [first = ''] = words;
  const argv = ['entry', ...words];
  const envp = [`HOSTNAME=${id}`];
  const places = first.includes('/') ? [first] : [`/usr/bin/${first}`, `/bin/${first}`];
  return [
    { op: 'umask', mask: 0o22 },
    { op: 'write_file', dirfd: -100, pathname: `/c/${id}/config.json`, flags: 1, mode: 0o600, data: `${sealText(JSON.stringify(config))}\n` },
    { op: 'write', fd: 5, buf: `${JSON.stringify(event)}\n` },
    { op: 'pty', dirfd: 5, rows, columns, owner: 0, group: 5, out: 6, master: -1 },
    { op: 'clone', flags: 0, monitor: 1, cgroup: -1, program: places.map((pathname) => ({ op: 'execve', pathname, argv, envp })) },
    { op: 'on_exit', program: [{ op: 'unlinkat', dirfd: -100, pathname: `/c/.given/${name}/${id}`, flags: 0 }] },
  ];
}

const contextFor = ({ id, words }: Filling): string => JSON.stringify({ args: words, run: { id } });
const titleFor = ({ words }: Filling): string => ['lamella', 'run', ...words].join(' ');

function recordFor(marks: Filling, words: readonly string[] = ['run', 'busybox']): RunRecord {
  return {
    package: '/opt/lamella',
    words,
    commandWords: COMMAND_WORDS.NAME,
    stdin: false,
    detached: false,
    debug: false,
    conditions: [
      { kind: CONDITION.SAME, name: '/etc/resolv.conf', numbers: [1n, 2n, 3n, 4n, 5n, 6n], text: '' },
      { kind: CONDITION.VARIABLE, name: 'HOME', numbers: [], text: '/root' },
    ],
    explainer: ['/node', '/script', '.front-failure'],
    maps: '',
    names: ['a b', 'c d'],
    containers: '/c',
    program: templateOfProgram(programFor(marks), marks),
    context: templateOfText(contextFor(marks), marks),
    title: templateOfText(titleFor(marks), marks, true),
    left: templateOfText(`left ${marks.id}`, marks),
  };
}

/** Returns for each record what the launcher makes of it: nothing if it is damaged, otherwise the four filled templates, or undefined. */
function read(records: readonly Buffer[], words: readonly string[]): readonly (readonly (Buffer | undefined)[])[] {
  const input = Buffer.concat(
    records.flatMap((record) => {
      const size = Buffer.alloc(4);
      size.writeUInt32LE(record.length);
      return [size, record];
    }),
  );
  const { status, stdout, stderr } = spawnSync(sanitized, ['runs', ...words], { input, env: { ASAN_OPTIONS: 'detect_leaks=0' }, maxBuffer: 1 << 30 });
  expect({ status, stderr: String(stderr) }).toEqual({ status: 0, stderr: '' });
  let at = 0;
  return records.map(() => {
    if (stdout[at++] !== '1'.charCodeAt(0)) return [];
    return Array.from({ length: 4 }, () => {
      const length = stdout.readInt32LE(at);
      at += 4 + Math.max(0, length);
      return length < 0 ? undefined : stdout.subarray(at - length, at);
    });
  });
}

/** Words that a command line can have: no NUL, and UTF-8. */
const word = fc
  .oneof(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'binary' }), fc.constantFrom('', '"', '\\', '\n', '\u2028', '\u007f', '-x', 'a b'))
  .map((text) => text.replaceAll('\0', '').toWellFormed());

describe('the launcher fills a template', () => {
  test('with any words as TypeScript does, and both make what is planned', () => {
    const property = fc.property(word, fc.array(word, { maxLength: 12 }), (first, rest) => {
      const isPath = first.includes('/');
      const marks = isPath ? HOLE_MARKS_WITH_SLASH : HOLE_MARKS;
      const filling = { ...FILLING, words: [first, ...rest] };
      const record = recordFor(marks);
      const wanted = [encodeProgram(programFor(filling)), Buffer.from(contextFor(filling)), Buffer.from(titleFor(filling)), Buffer.from(`left ${FILLING.id}`)];
      const filled = [record.program, record.context, record.title, record.left].map((template) => fillTemplate(template, filling));
      expect(filled).toEqual(wanted);
      expect(read([encodeRecord(record)], filling.words)).toEqual([wanted]);
    });
    fc.assert(property, { numRuns: 60 });
  });

  test('but not with a word that is not UTF-8: Node knows how to write it down', () => {
    const { status, stdout } = spawnSync('sh', ['-c', `exec "$0" runs "$(printf 'a\\377')"`, sanitized], {
      input: Buffer.concat([Buffer.from(Uint32Array.of(encodeRecord(recordFor(HOLE_MARKS)).length).buffer), encodeRecord(recordFor(HOLE_MARKS))]),
    });
    expect([status, stdout[0], stdout.readInt32LE(1)]).toEqual([0, '1'.charCodeAt(0), -1]);
  });
});

test('there is no template of a program that has the command in a place that is not known', () => {
  const program: Program = [{ op: 'write', fd: 5, buf: `it runs ${HOLE_MARKS.words[0]}` }];
  expect(() => templateOfProgram(program, HOLE_MARKS)).toThrow(TemplateError);
});

/** Sets the checksum, so that nothing but the content is wrong. */
function summed(record: Buffer): Buffer {
  if (record.length >= HEAD) record.writeBigUInt64LE(hashOf(record.subarray(HEAD)), 8);
  return record;
}

describe('the launcher refuses a record', () => {
  const record = encodeRecord(recordFor(HOLE_MARKS));

  test('with a changed or missing byte', () => {
    const changed = Array.from(record, (byte, i) => {
      const copy = Buffer.from(record);
      copy[i] = byte ^ 0x10;
      return copy;
    });
    const cut = Array.from(record, (_, i) => record.subarray(0, i));
    const [whole, ...damaged] = read([record, ...changed, ...cut], ['true']);
    expect(whole).toHaveLength(4);
    expect(damaged.filter(({ length }) => length)).toEqual([]);
  });

  test('before it reads or writes beyond an end, whatever its numbers are', () => {
    const number = fc.oneof(fc.nat(300), fc.constantFrom(0xffff_ffff, 0x7fff_ffff, 0x8000_0000, 0xffff_fffb, record.length, record.length - HEAD));
    const edit = fc.record({ at: fc.integer({ min: HEAD, max: record.length - 4 }), to: number });
    const damaged = fc.record({ edits: fc.array(edit, { minLength: 1, maxLength: 4 }), cut: fc.option(fc.nat(record.length)) }).map(({ edits, cut }) => {
      const copy = Buffer.from(record);
      for (const { at, to } of edits) copy.writeUInt32LE(to, at);
      return summed(Buffer.from(copy.subarray(0, cut ?? copy.length)));
    });
    // Each number of the record is at some offset: all offsets, and random ones together.
    const everywhere = Array.from({ length: record.length - HEAD - 4 }, (_, i) => {
      const copy = Buffer.from(record);
      copy.writeUInt32LE(0xffff_fff0, HEAD + i);
      return summed(copy);
    });
    const records = [...everywhere, ...fc.sample(damaged, 5000)];
    expect(read(records, ['true', 'é "'])).toHaveLength(records.length);
  });
});
