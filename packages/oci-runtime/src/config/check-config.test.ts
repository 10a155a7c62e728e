import { mkdirSync } from 'node:fs';
import { type ScratchDirectory, scratch } from '@lamella-test/scratch';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkConfig, checkProcess } from './check-config.js';
import type { OciConfig, OciLinux, OciProcess } from './schema.js';

let at: ScratchDirectory;
beforeAll(async () => {
  at = await scratch();
  mkdirSync(at.join('rootfs'));
});
afterAll(() => at[Symbol.asyncDispose]());

const check = (change: object): void => checkConfig({ ociVersion: '1.2.0', root: { path: 'rootfs' }, ...change } as OciConfig, 'config.json', at.path);
const linux = (given: Partial<OciLinux>): object => ({ linux: { namespaces: [{ type: 'mount' }, { type: 'uts' }], ...given } });
const NET: Partial<OciLinux> = { namespaces: [{ type: 'network' }] };

test('a minimal configuration passes', () => {
  check({});
  check(linux({}));
  check({ ...linux({ sysctl: { 'kernel.domainname': 'x' } }), hostname: 'x' });
  check(linux({ ...NET, sysctl: { 'net.ipv4.ip_forward': '1', 'net/core/somaxconn': '5' } }));
});

test.each<[object, string]>([
  [{ ociVersion: '2.0.0' }, 'ociVersion: 2.0.0 is not supported: use 1.x'],
  [{ root: { path: '' } }, 'root.path: is empty'],
  [{ root: { path: 'none' } }, 'root.path: no such directory'],
  [{ hostname: 'x', linux: { namespaces: [] } }, 'hostname: requires a uts namespace'],
  [{ domainname: 'x' }, 'domainname: requires a uts namespace'],
  [{ hostname: 'é'.repeat(33), ...linux({}) }, 'hostname: is longer than 64 bytes'],
  [linux({ timeOffsets: { boottime: { secs: 1 } } }), 'linux.timeOffsets: requires a time namespace'],
  [linux({ namespaces: [{ type: 'mount' }, { type: 'mount' }] }), 'linux.namespaces[1].type: mount is set twice'],
  [linux({ namespaces: [{ type: 'ipc', path: 'x' }] }), "linux.namespaces[0].path: 'x' is not an absolute path"],
  [linux({ namespaces: [{ type: 'ipc', path: '/no/such/file' }] }), 'linux.namespaces[0].path: no such file: /no/such/file'],
  [linux({ uidMappings: [{ containerID: 0, hostID: 0, size: 1 }] }), 'linux.uidMappings: requires a user namespace'],
  [linux({ namespaces: [{ type: 'user' }] }), 'linux.uidMappings: uidMappings and gidMappings are required for a new user namespace'],
  [linux({ sysctl: { 'vm.swappiness': '1' } }), 'linux.sysctl: vm.swappiness is not namespaced and would change the host'],
  [linux({ sysctl: { 'kernel.shmmax': '1' } }), 'linux.sysctl: kernel.shmmax requires an ipc namespace'],
  [linux({ sysctl: { 'net/core/x': '1' } }), 'linux.sysctl: net/core/x requires a network namespace'],
  [linux({ sysctl: { 'kernel.hostname': 'x' } }), 'linux.sysctl: kernel.hostname cannot be set: use hostname'],
  [{ mounts: [{ destination: '' }] }, 'mounts[0].destination: is empty'],
  [{ mounts: [{ destination: '/x', options: ['bind'] }] }, 'mounts[0].source: is required for the bind mount onto /x'],
  [{ mounts: [{ destination: '/x' }] }, 'mounts[0].type: is required unless an option is bind or rbind'],
  [{ mounts: [{ destination: '/x', type: 'tmpfs', uidMappings: [{}], gidMappings: [{}] }] }, 'mounts[0].uidMappings: only bind mounts can be idmapped'],
  [{ mounts: [{ destination: '/x', type: 'bind', source: 'x', uidMappings: [{}] }] }, 'mounts[0]: uidMappings and gidMappings must be set together'],
  [linux({ devices: [{ path: '/dev/x', type: 'c', major: 1 }] } as never), 'linux.devices[0]: major and minor are required for /dev/x'],
  [linux({ intelRdt: { closID: '../x' } }), "linux.intelRdt.closID: '../x' is not a valid directory name"],
  [linux({ intelRdt: { memBwSchema: 'L3:0=f' } }), "linux.intelRdt.memBwSchema: must be one line that begins with 'MB:'"],
  [linux({ intelRdt: { schemata: ['a\nb'] } }), 'linux.intelRdt.schemata[0]: must be one line'],
  [linux({ netDevices: { eth0: {} } } as never), 'linux.netDevices: requires a network namespace'],
])('%j is refused', (change, message) => {
  expect(() => check(change)).toThrow(
    expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringContaining(`config.json: ${message.split(':')[0]}`) }),
  );
  expect(() => check(change)).toThrow(message);
});

const processOf = (change: object): void => checkProcess({ args: ['sh'], cwd: '/', ...change } as OciProcess, 'exec');

test.each<[object, string]>([
  [{ args: [] }, 'process.args: is empty'],
  [{ args: [''] }, 'process.args: is empty'],
  [{ env: ['A'] }, "process.env[0]: 'A' is not of the form NAME=VALUE"],
  [{ env: ['A=', '=b'] }, "process.env[1]: '=b' is not of the form NAME=VALUE"],
  [{ rlimits: [{ type: 'RLIMIT_LUCK', soft: 0, hard: 0 }] }, "process.rlimits[0].type: 'RLIMIT_LUCK' is not a limit of getrlimit(2)"],
  [{ rlimits: [{ type: 'RLIMIT_CORE', soft: 2, hard: 1 }] }, 'process.rlimits[0]: the soft limit of RLIMIT_CORE exceeds the hard limit'],
  [{ rlimits: [1, 2].map(() => ({ type: 'RLIMIT_CORE', soft: 0, hard: 0 })) }, 'process.rlimits[1].type: RLIMIT_CORE is set twice'],
])('a process with %j is refused', (change, message) => {
  processOf({});
  expect(() => processOf(change)).toThrow(`exec: ${message}`);
});
