import { mkdirSync, writeFileSync } from 'node:fs';
import { scratch } from '@lamella-test/scratch';
import { expect, test } from 'vitest';
import type { OciProcess } from '../config/schema.js';
import { environmentOf } from './environment.js';

const env = (root: string, spec: object, listening = 0): string[] => environmentOf(spec as OciProcess, root, listening);

test('HOME comes from passwd of the container unless it is set', async () => {
  await using at = await scratch();
  mkdirSync(at.join('etc'));
  writeFileSync(at.join('etc/passwd'), 'root:x:0:0::/root:/bin/sh\nme:x:5:5::/home/me:\n');
  expect(env(at.path, { env: ['A=1'], user: { uid: 5, gid: 5 } })).toEqual(['A=1', 'HOME=/home/me']);
  expect(env(at.path, { env: ['HOME=/x'] })).toEqual(['HOME=/x']);
  expect(env(at.path, { env: ['HOME=', 'A=1'] })).toEqual(['A=1', 'HOME=/root']);
  expect(env(at.path, { user: { uid: 9, gid: 9 } })).toEqual(['HOME=/']);
});

test('of a name that is set twice the last value counts', async () => {
  await using at = await scratch();
  expect(env(at.path, { env: ['A=1', 'B=2', 'A=3'] })).toEqual(['A=3', 'B=2', 'HOME=/']);
});

test('socket activation tells its descriptors', async () => {
  await using at = await scratch();
  expect(env(at.path, {}, 2)).toEqual(['HOME=/', 'LISTEN_FDS=2', 'LISTEN_PID=1']);
});
