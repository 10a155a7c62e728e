import { expect, test } from 'vitest';
import { COMMANDS } from '../commands.js';
import { RUN_FLAGS } from '../run-flags/run-flags.js';
import { dockerCommand } from './docker-commands.js';
import { dockerFlag, dockerValue } from './docker-flags.js';

test('commands of Docker that we do not have have an alternative, by the longest name', () => {
  expect(dockerCommand(['volume', 'ls'])).toContain('-v /directory:/path');
  expect(dockerCommand(['system', 'prune'])).toContain('lamella container prune');
  expect(dockerCommand(['system'])).toBeUndefined();
  expect(dockerCommand(['constructor'])).toBeUndefined();
  for (const name of Object.keys(COMMANDS)) expect(dockerCommand(name.split(':'))).toBeUndefined();
});

test('flags of Docker that we do not have have an alternative', () => {
  expect(dockerFlag('run', '--dns')).toContain('resolv.conf');
  expect(dockerFlag('create', '--dns')).toBe(dockerFlag('run', '--dns'));
  expect(dockerFlag('exec', '--dns')).toBeUndefined();
  expect(dockerFlag('run', '--toString')).toBeUndefined();
  for (const name of Object.keys(RUN_FLAGS)) expect(dockerFlag('run', `--${name}`)).toBeUndefined();
});

test('networks of Docker have an alternative', () => {
  expect(dockerValue('network', 'bridge')).toContain('pasta');
  expect(dockerValue('network', 'container:web')).toContain('--network host');
  expect(dockerValue('pull', 'newer')).toBeUndefined();
});
