import { CAPABILITIES } from '@lamella/syscall';
import { expect, test } from 'vitest';
import type { OciProcess } from '../config/schema.js';
import { allCapabilities, grantable, prepareCapabilities, setCapabilities, switchUser, unknownCapabilities } from './identity.js';

const bit = (name: string): number => 2 ** CAPABILITIES.indexOf(name as never);

test('unknown capabilities are named once', () => {
  expect(unknownCapabilities({ bounding: ['CAP_LUCK', 'CAP_KILL'], ambient: ['CAP_LUCK'] })).toEqual(['CAP_LUCK']);
  expect(unknownCapabilities(undefined)).toEqual([]);
});

test('only permitted and grantable capabilities become effective', () => {
  const process = { capabilities: { permitted: ['CAP_KILL', 'CAP_CHOWN'], effective: ['CAP_KILL', 'CAP_SYS_ADMIN'], inheritable: ['CAP_LUCK'] } };
  const [op] = setCapabilities(process as unknown as OciProcess, grantable(true));
  expect(op).toMatchObject({ op: 'capset', effective: bit('KILL'), permitted: bit('KILL') + bit('CHOWN'), inheritable: 0 });
  expect(setCapabilities(process as unknown as OciProcess, new Set())).toMatchObject([{ effective: 0, permitted: 0 }]);
});

test('a user namespace grants all capabilities', () => {
  expect(grantable(true).size).toBe(CAPABILITIES.length);
});

test('an ambient capability has to be permitted and inheritable', () => {
  const process = {
    capabilities: { permitted: ['CAP_KILL', 'CAP_CHOWN'], inheritable: ['CAP_KILL', 'CAP_SETUID'], ambient: ['CAP_KILL', 'CAP_CHOWN', 'CAP_SETUID'] },
  } as unknown as OciProcess;
  const raised = prepareCapabilities(process, grantable(true), false).slice(1);
  expect(raised).toMatchObject([{ op: 'prctl', arg3: CAPABILITIES.indexOf('KILL') }]);
});

test('CAP_SYS_ADMIN is kept until the filter is installed, and dropped then', () => {
  const process = { capabilities: { permitted: ['CAP_KILL'], effective: ['CAP_KILL'] } } as unknown as OciProcess;
  expect(prepareCapabilities(process, grantable(true), true)).toMatchObject([
    { effective: bit('KILL') + bit('SYS_ADMIN'), permitted: bit('KILL') + bit('SYS_ADMIN') },
  ]);
  expect(prepareCapabilities(process, grantable(true), false)).toMatchObject([{ effective: bit('KILL') }]);
  expect(setCapabilities(process, grantable(true))).toMatchObject([{ effective: bit('KILL'), permitted: bit('KILL') }]);
});

test('the bounding set is dropped, and the groups are set, before the user changes', () => {
  const ops = (setgroups: boolean) =>
    switchUser({ user: { uid: 5, gid: 6, additionalGids: [7] }, capabilities: { bounding: ['CAP_KILL'] } } as unknown as OciProcess, { setgroups });
  const names = ops(true).map(({ op }) => op);
  expect(names.slice(CAPABILITIES.length - 1)).toEqual(['setgroups', 'setresgid', 'prctl', 'setresuid', 'prctl', 'umask']);
  expect(ops(true)).toContainEqual(expect.objectContaining({ op: 'setresuid', ruid: 5, euid: 5, suid: 5 }));
  expect(ops(true).at(-1)).toMatchObject({ mask: 0o022 });
  expect(ops(false).some(({ op }) => op === 'setgroups')).toBe(false);
});

test('a mask of capabilities above bit 31 is exact', () => {
  expect(allCapabilities(new Set(['CHECKPOINT_RESTORE', 'CHOWN']))).toMatchObject({ effective: 2 ** 40 + 1, permitted: 2 ** 40 + 1, inheritable: 0 });
});
