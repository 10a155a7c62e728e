import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';

/** The reader of the records from which the native launcher runs commands of lamella-oci, with ASan and UBSan. */

const native = path.join(import.meta.dirname, '../../native');
const sanitized = path.join(native, 'build/lamella-init-sanitized');
const HEADER = 108;
const CHECKSUM = 104;

beforeAll(() => {
  mkdirSync(path.dirname(sanitized), { recursive: true });
  const built = spawnSync(process.execPath, [path.join(native, 'build.mjs'), sanitized, '--sanitize'], { encoding: 'utf8' });
  expect(built.stderr).toBe('');
}, 120_000);

function text(content: string): Buffer {
  const bytes = Buffer.from(`....${content}\0`);
  bytes.writeUInt32LE(bytes.length - 5);
  return bytes;
}

/** Sets the length and the checksum, so that nothing but the content is wrong. */
function sealed(record: Buffer): Buffer {
  if (record.length < HEADER) return record;
  record.writeUInt32LE(record.length, 12);
  let hash = 2166136261;
  for (const [i, byte] of record.entries()) if (i < CHECKSUM || i >= HEADER) hash = Math.imul(hash ^ byte, 16777619);
  record.writeUInt32LE(hash >>> 0, CHECKSUM);
  return record;
}

function whole(): Buffer {
  const header = Buffer.alloc(HEADER);
  header.write('LAMELOCI');
  header.writeUInt32LE(1, 8);
  header.writeUInt32LE(1, 24);
  return sealed(Buffer.concat([header, ...Array.from({ length: 12 }, (_, i) => text(`text ${i}`)), text('/cgroup/one'), text('/cgroup/two')]));
}

/** Returns for each record whether it is accepted. */
function read(records: readonly Buffer[]): readonly boolean[] {
  const input = Buffer.concat(
    records.flatMap((record) => {
      const size = Buffer.alloc(4);
      size.writeUInt32LE(record.length);
      return [size, record];
    }),
  );
  const { status, stdout, stderr } = spawnSync(sanitized, ['records'], { input, encoding: 'utf8', env: { ASAN_OPTIONS: 'detect_leaks=0' } });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return [...stdout].map((each) => each === '1');
}

test('a whole record is accepted, and none with a changed or missing byte', () => {
  const record = whole();
  const changed = Array.from(record, (byte, i) => {
    const copy = Buffer.from(record);
    copy[i] = byte ^ 0x10;
    return copy;
  });
  const cut = Array.from(record, (_, i) => record.subarray(0, i));
  expect(read([record, ...changed, ...cut])).toEqual([true, ...changed.map(() => false), ...cut.map(() => false)]);
});

test('no record is read beyond its end, whatever its lengths are', () => {
  const record = whole();
  const edit = fc.record({
    at: fc.oneof(fc.nat(record.length - 5), fc.constant(HEADER), fc.constant(HEADER + 4 + 6 + 1)),
    to: fc.oneof(fc.nat(300), fc.constantFrom(0xffff_ffff, 0x7fff_ffff, 0xffff_fffb, record.length, record.length - HEADER)),
  });
  const damaged = fc.record({ edits: fc.array(edit, { maxLength: 4 }), cut: fc.option(fc.nat(record.length)) }).map(({ edits, cut }) => {
    const copy = Buffer.from(record);
    for (const { at, to } of edits) copy.writeUInt32LE(to, at);
    return sealed(Buffer.from(copy.subarray(0, cut ?? copy.length)));
  });
  const records = fc.sample(damaged, 5000);
  expect(read(records)).toHaveLength(records.length);
});
