import { DEFAULT_CAPABILITIES } from '@lamella/namespace';
import { type ArchitectureName, compileProfile, DEFAULT_PROFILE } from '@lamella/seccomp';
import { DEFAULT_FILTERS } from '@lamella/seccomp/default-filter';
import { expect, test } from 'vitest';
import { confinement } from './confinement.js';

test.for<ArchitectureName>(['x64', 'arm64'])('the filter for %s that is compiled already is the default profile', (architecture) => {
  const { filter } = compileProfile(DEFAULT_PROFILE, { architecture, capabilities: DEFAULT_CAPABILITIES });
  expect(Buffer.from(DEFAULT_FILTERS[architecture] ?? []).toString('base64')).toBe(Buffer.from(filter).toString('base64'));
});

test('capabilities are reckoned as Docker does', async () => {
  const of = async (spec: object): Promise<readonly string[]> => (await confinement({ image: 'x', ...spec })).capabilities ?? [];
  expect(await of({})).toEqual(DEFAULT_CAPABILITIES);
  expect(await of({ capDrop: ['ALL'] })).toEqual([]);
  expect(await of({ capDrop: ['ALL'], capAdd: ['CHOWN'] })).toEqual(['CHOWN']);
  expect(await of({ capDrop: ['CHOWN'] })).toEqual(DEFAULT_CAPABILITIES.filter((name) => name !== 'CHOWN').toSorted(byNumber(await of({ capAdd: ['ALL'] }))));
  expect(await of({ capAdd: ['ALL'], capDrop: ['KILL'] })).not.toContain('KILL');
  await expect(of({ capAdd: ['NOTHING'] })).rejects.toMatchObject({ code: 'CAPABILITY_UNKNOWN', hint: expect.stringContaining('capabilities(7)') });
});

const byNumber =
  (all: readonly string[]) =>
  (a: string, b: string): number =>
    all.indexOf(a) - all.indexOf(b);
