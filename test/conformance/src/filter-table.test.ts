import { DEFAULT_CAPABILITIES } from '@lamella/namespace';
import { DEFAULT_PROFILE } from '@lamella/seccomp';
import { expect, test } from 'vitest';
import { compareArguments, compareCalls, documents, filterTable, idleReasons } from './filter-table.js';

/** Calls that ours allows, and both others refuse: each is in the table with its reason. */
const OURS_ALONE = ['file_getattr', 'file_setattr', 'uprobe'];

test('our default filter allows nothing by argument that Docker or podman refuses', () => {
  const looser = compareArguments().filter(({ verdicts: [ours, ...others] }) => ours === 'yes' && others.includes('no'));
  // What podman has no word about it allows; what Docker has none about are families of podman's.
  expect(looser).toEqual([]);
});

test('families of sockets that are refused cannot be had by a bit that the kernel does not look at', () => {
  const found = compareArguments().filter(({ asked }) => /AF_(?:ALG|VSOCK)/.test(asked));
  expect(found.length).toBe(4);
  for (const { asked, verdicts } of found) expect([asked, verdicts[0]]).toEqual([asked, 'no']);
});

test('what our default filter allows beyond both others, and every other difference, has its reason', () => {
  const calls = compareCalls();
  expect(calls.filter(({ verdicts: [ours, docker, podman] }) => ours === 'yes' && docker !== 'yes' && podman !== 'yes').map(({ name }) => name)).toEqual(
    OURS_ALONE,
  );
  const different = calls.filter(({ verdicts: [ours, ...others] }) => others.some((each) => each !== ours));
  expect(different.length).toBeGreaterThan(20);
  expect(different.filter(({ reason }) => reason === undefined).map(({ name, verdicts }) => [name, ...verdicts])).toEqual([]);
  expect(idleReasons()).toEqual([]);
});

test('the tables in SECURITY.md are what is compared here', () => {
  const { is, shall } = documents();
  expect(is, 'write them anew: node test/conformance/dist/filter-table.js --write').toBe(shall);
  expect(filterTable()).toContain('AF_');
});

test('the comparison is by the default capabilities, and by profiles that say something', () => {
  expect(DEFAULT_CAPABILITIES).not.toContain('SYS_ADMIN');
  expect(DEFAULT_PROFILE.syscalls?.length).toBeGreaterThan(10);
  const [read] = compareCalls().filter(({ name }) => name === 'read');
  expect(read?.verdicts).toEqual(['yes', 'yes', 'yes']);
  const [mount] = compareCalls().filter(({ name }) => name === 'mount');
  expect(mount?.verdicts).toEqual(['SYS_ADMIN', 'SYS_ADMIN', 'yes']);
});
