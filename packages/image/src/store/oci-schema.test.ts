import { expect, test } from 'vitest';
import { ConfigSchema, IndexSchema, ManifestSchema, OF_A_SOURCE, parseDocument } from './oci-schema.js';

const DIGEST = `sha256:${'a'.repeat(64)}`;
const read = (config: unknown): unknown => {
  try {
    return parseDocument(ConfigSchema, JSON.stringify(config), 'the config', OF_A_SOURCE);
  } catch (error) {
    expect((error as { hint: string }).hint).not.toMatch(/rmi/);
    return (error as { code: string }).code;
  }
};

/** What is said of a process, by key and value, and what Docker 28.2 makes of it; `refused` is what it refuses. */
const LISTS = (key: string, string: unknown): [string, unknown, unknown][] => [
  [key, null, undefined],
  [key, [], []],
  [key, ['a', 'b c'], ['a', 'b c']],
  [key, [null], ['']],
  [key, 'echo hi', string],
  ...[5, true, {}, { a: 'b' }, [5], [['a']]].map((value): [string, unknown, unknown] => [key, value, 'refused']),
];
const MAPS = (key: string, value: unknown, kept: unknown): [string, unknown, unknown][] => [
  [key, null, undefined],
  [key, {}, {}],
  [key, { a: value }, { a: kept }],
  ...['text', 5, true, [], ['a'], [null]].map((odd): [string, unknown, unknown] => [key, odd, 'refused']),
];
const TEXTS = (key: string): [string, unknown, unknown][] => [
  [key, null, undefined],
  [key, 'text', 'text'],
  [key, '', ''],
  ...[5, true, [], {}, ['a']].map((odd): [string, unknown, unknown] => [key, odd, 'refused']),
];

test.for([
  ...LISTS('Env', 'refused'),
  ...LISTS('Cmd', ['echo hi']),
  ...LISTS('Entrypoint', ['echo hi']),
  ...MAPS('Labels', 'b', 'b'),
  ...MAPS('Labels', null, ''),
  ...MAPS('Volumes', {}, {}),
  ...MAPS('ExposedPorts', {}, {}),
  ['Labels', { a: 5 }, 'refused'] as const,
  ...TEXTS('User'),
  ...TEXTS('WorkingDir'),
  ...TEXTS('StopSignal'),
])('config.%s of %j', ([key, value, expected]) => {
  for (const name of [key, key.toLowerCase()]) {
    const found = read({ config: { [name]: value }, rootfs: { type: 'layers', diff_ids: [DIGEST] } });
    if (expected === 'refused') expect(found).toBe('SOURCE_INVALID');
    else expect((found as { config: Record<string, unknown> }).config[key]).toEqual(expected);
  }
});

test('what may be missing may be null, in every combination, and the rest is as it was', () => {
  const whole: Record<string, unknown> = {
    architecture: 'amd64',
    os: 'linux',
    created: '2020-01-01T00:00:00Z',
    author: 'me',
    config: { Cmd: ['sh'] },
    rootfs: { type: 'layers', diff_ids: [DIGEST] },
    history: [{ created_by: 'x' }, null],
    unknown: [{ a: 1 }],
  };
  const keys = Object.keys(whole);
  for (let left = 0; left < 2 ** keys.length; left++)
    for (const instead of ['missing', 'null']) {
      const given = Object.fromEntries(keys.flatMap((key, i) => (left & (1 << i) ? (instead === 'null' ? [[key, null]] : []) : [[key, whole[key]]])));
      const found = read(given) as Record<string, unknown>;
      expect(found).toMatchObject({ rootfs: { diff_ids: left & (1 << keys.indexOf('rootfs')) ? [] : [DIGEST] } });
      for (const [i, key] of keys.entries()) if (!(left & (1 << i)) && key !== 'history') expect(found[key]).toEqual(whole[key]);
    }
  for (const rootfs of [{}, { type: null, diff_ids: null }, { diff_ids: [] }]) expect(read({ rootfs })).toMatchObject({ rootfs: { diff_ids: [] } });
  expect(read({ Config: { CMD: ['a'], env: ['A=b'] }, RootFS: { Diff_IDs: [DIGEST] } })).toMatchObject({
    config: { Cmd: ['a'], Env: ['A=b'] },
    rootfs: { diff_ids: [DIGEST] },
  });
  // A key that is written as it should be is the one that counts.
  expect(read({ config: { Cmd: ['a'], cmd: ['b'] } })).toMatchObject({ config: { Cmd: ['a'] } });
  expect(read({ created: 'yesterday' })).toMatchObject({ created: undefined });
  for (const odd of [null, [], 'text', 5, { rootfs: { diff_ids: ['sha256:short'] } }, { rootfs: [] }, { config: [] }, { config: 'sh' }, { history: {} }])
    expect(read(odd)).toBe('SOURCE_INVALID');
});

test('indexes and manifests may say null, too', () => {
  const descriptor = { digest: DIGEST, size: 3, mediaType: null, annotations: null, platform: null };
  expect(parseDocument(IndexSchema, JSON.stringify({ schemaVersion: null, manifests: [descriptor] }), 'it').manifests).toMatchObject([{ digest: DIGEST }]);
  expect(parseDocument(IndexSchema, '{"manifests":null}', 'it').manifests).toEqual([]);
  expect(parseDocument(ManifestSchema, JSON.stringify({ config: { ...descriptor, platform: { os: null } }, layers: null }), 'it').layers).toEqual([]);
  expect(() => parseDocument(ManifestSchema, '{"layers":[]}', 'it')).toThrow(
    expect.objectContaining({ code: 'STORE_CORRUPT', hint: expect.stringContaining('rmi') }),
  );
});
