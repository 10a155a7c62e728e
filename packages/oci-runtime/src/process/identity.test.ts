import { CAPABILITIES } from '@lamella/syscall';
import { expect, test } from 'vitest';
import type { OciProcess } from '../config/schema.js';
import { grantable, setCapabilities, unknownCapabilities } from './identity.js';

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
