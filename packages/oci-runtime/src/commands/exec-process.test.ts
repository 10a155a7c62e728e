import { expect, test } from 'vitest';
import type { OciConfig } from '../config/schema.js';
import { execProcess } from './exec-process.js';

const CONFIG = {
  ociVersion: '1.2.0',
  root: { path: 'rootfs' },
  process: {
    args: ['init'],
    cwd: '/srv',
    env: ['PATH=/bin'],
    terminal: true,
    user: { uid: 5, gid: 6, additionalGids: [7] },
    capabilities: { bounding: ['CAP_KILL'], effective: ['CAP_KILL'], permitted: ['CAP_KILL'], ambient: ['CAP_KILL'] },
  },
} as unknown as OciConfig;

test('a process is that of the container, with another command and without its terminal', () => {
  expect(execProcess({}, ['ps', '-e'])(CONFIG)).toEqual({ ...CONFIG.process, args: ['ps', '-e'], terminal: false });
});

test('flags change the process', () => {
  const flags = { tty: true, user: '1:2', cwd: '/tmp', env: ['A=b'], 'additional-gids': ['9'], apparmor: 'p', 'process-label': 'l', 'no-new-privs': true };
  expect(execProcess(flags, ['ps'])(CONFIG)).toMatchObject({
    args: ['ps'],
    cwd: '/tmp',
    env: ['PATH=/bin', 'A=b'],
    terminal: true,
    user: { uid: 1, gid: 2, additionalGids: [9] },
    apparmorProfile: 'p',
    selinuxLabel: 'l',
    noNewPrivileges: true,
  });
  expect(execProcess({ user: '1' }, ['ps'])(CONFIG).user).toEqual({ uid: 1, gid: 6, additionalGids: [7] });
});

test('a capability is added to three sets, once', () => {
  expect(execProcess({ cap: ['CAP_CHOWN', 'CAP_KILL'] }, ['ps'])(CONFIG).capabilities).toEqual({
    bounding: ['CAP_KILL', 'CAP_CHOWN'],
    effective: ['CAP_KILL', 'CAP_CHOWN'],
    permitted: ['CAP_KILL', 'CAP_CHOWN'],
    ambient: ['CAP_KILL'],
  });
});

test('a process without a configured one has defaults', () => {
  const { process: _, ...bare } = CONFIG;
  expect(execProcess({}, ['ps'])(bare as OciConfig)).toMatchObject({ args: ['ps'], cwd: '/', env: [], terminal: false });
});

test.each(['root', '-1', '4294967295', ''])("a user '%s' is refused", (user) => {
  expect(() => execProcess({ user }, ['ps'])).toThrow(`invalid value '${user}' for --user: use numeric IDs`);
});

test('a command or a file is required', () => {
  expect(() => execProcess({}, [])).toThrow('requires a command or --process FILE');
});
