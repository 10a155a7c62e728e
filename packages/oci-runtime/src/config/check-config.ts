import { lstatSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { checkProfile } from '@lamella/seccomp';
import { RLIMIT } from '@lamella/syscall';
import { isInitialRoot } from '../host/initial-root.js';
import { invalidConfig } from './invalid-config.js';
import type { NamespaceType, OciConfig, OciLinux, OciProcess } from './schema.js';

/**
 * Checks what the schema cannot express: the parts of a configuration must agree with each other and with this machine.
 * Nothing has been made yet.
 *
 * @throws OciError `CONFIG_INVALID`
 */
export function checkConfig(config: OciConfig, where: string, bundle: string): void {
  const fail = (why: string): never => {
    throw invalidConfig(where, why);
  };
  if (!/^1\./.test(config.ociVersion)) fail(`ociVersion: ${config.ociVersion} is not supported: use 1.x`);
  const root = path.resolve(bundle, config.root.path);
  if (!config.root.path) fail('root.path: is empty');
  if (!statSync(root, { throwIfNoEntry: false })?.isDirectory()) fail(`root.path: no such directory: ${root}`);
  const linux = config.linux ?? {};
  const kinds = namespaces(linux, fail);
  if (config.hostname && !kinds.has('uts')) fail('hostname: requires a uts namespace in linux.namespaces');
  if (config.domainname && !kinds.has('uts')) fail('domainname: requires a uts namespace in linux.namespaces');
  if (Buffer.byteLength(config.hostname ?? '') > 64) fail('hostname: is longer than 64 bytes (sethostname(2))');
  userNamespace(linux, kinds, fail);
  if (linux.timeOffsets && !kinds.has('time')) fail('linux.timeOffsets: requires a time namespace in linux.namespaces');
  for (const key of Object.keys(linux.sysctl ?? {})) sysctl(key, linux, kinds, fail);
  for (const [i, mount] of (config.mounts ?? []).entries()) {
    if (!mount.destination) fail(`mounts[${i}].destination: is empty`);
    if (Boolean(mount.uidMappings?.length) !== Boolean(mount.gidMappings?.length)) fail(`mounts[${i}]: uidMappings and gidMappings must be set together`);
    const binds = mount.options?.some((option) => option === 'bind' || option === 'rbind') || mount.type === 'bind';
    if (binds && !mount.source) fail(`mounts[${i}].source: is required for the bind mount onto ${mount.destination}`);
    if (!binds && mount.uidMappings?.length) fail(`mounts[${i}].uidMappings: only bind mounts can be idmapped`);
    if (!binds && !mount.type) fail(`mounts[${i}].type: is required unless an option is bind or rbind`);
  }
  for (const [i, device] of (linux.devices ?? []).entries())
    if (device.type !== 'p' && (device.major === undefined || device.minor === undefined))
      fail(`linux.devices[${i}]: major and minor are required for ${device.path}`);
  if (linux.seccomp) {
    const profile = checkProfile(linux.seccomp, where);
    const notifies = [profile.defaultAction, ...(profile.syscalls ?? []).map(({ action }) => action)].includes('SCMP_ACT_NOTIFY');
    if (notifies && !linux.seccomp.listenerPath) fail('linux.seccomp.listenerPath: is required for SCMP_ACT_NOTIFY');
    if (profile.defaultAction === 'SCMP_ACT_NOTIFY')
      fail('linux.seccomp.defaultAction: cannot be SCMP_ACT_NOTIFY, because the runtime could not send the listener');
    if (profile.syscalls?.some(({ action, names }) => action === 'SCMP_ACT_NOTIFY' && names.includes('write')))
      fail('linux.seccomp.syscalls: write cannot be SCMP_ACT_NOTIFY, because the runtime could not send the listener');
  }
  netDevices(linux, kinds, fail);
  intelRdt(linux, fail);
  if (config.process) checkProcess(config.process, where);
}

/** Checks a process: that of a configuration, or of `exec`. @throws OciError `CONFIG_INVALID` */
export function checkProcess(process: OciProcess, where: string): void {
  const fail = (why: string): never => {
    throw invalidConfig(where, why);
  };
  if (!process.args?.length || !process.args[0]) fail('process.args: is empty');
  const seen = new Set<string>();
  for (const [i, { type, soft, hard }] of (process.rlimits ?? []).entries()) {
    const name = /^RLIMIT_([A-Z]+)$/.exec(type)?.[1]?.toLowerCase();
    if (name === undefined || RLIMIT[name] === undefined) fail(`process.rlimits[${i}].type: '${type}' is not a limit of getrlimit(2)`);
    if (seen.has(type)) fail(`process.rlimits[${i}].type: ${type} is set twice`);
    if (soft > hard) fail(`process.rlimits[${i}]: the soft limit of ${type} exceeds the hard limit`);
    seen.add(type);
  }
  for (const [i, pair] of (process.env ?? []).entries())
    if (pair.startsWith('=') || !pair.includes('=')) fail(`process.env[${i}]: '${pair}' is not of the form NAME=VALUE`);
  if (process.apparmorProfile && !enabled('/sys/module/apparmor/parameters/enabled', 'Y'))
    fail('process.apparmorProfile: AppArmor is not enabled on this machine');
  if (process.selinuxLabel && !statSync('/sys/fs/selinux/enforce', { throwIfNoEntry: false }))
    fail('process.selinuxLabel: SELinux is not enabled on this machine');
}

function enabled(file: string, yes: string): boolean {
  const stat = statSync(file, { throwIfNoEntry: false });
  return stat !== undefined && readFileSync(file, 'utf8').trim() === yes;
}

function namespaces(linux: OciLinux, fail: (why: string) => never): Map<NamespaceType, string> {
  const kinds = new Map<NamespaceType, string>();
  for (const [i, { type, path: file }] of (linux.namespaces ?? []).entries()) {
    if (kinds.has(type)) fail(`linux.namespaces[${i}].type: ${type} is set twice`);
    if (file && !file.startsWith('/')) fail(`linux.namespaces[${i}].path: '${file}' is not an absolute path`);
    if (file && !lstatSync(file, { throwIfNoEntry: false })) fail(`linux.namespaces[${i}].path: no such file: ${file}`);
    kinds.set(type, file ?? '');
  }
  return kinds;
}

function userNamespace(linux: OciLinux, kinds: ReadonlyMap<NamespaceType, string>, fail: (why: string) => never): void {
  const mapped = Boolean(linux.uidMappings?.length || linux.gidMappings?.length);
  const given = kinds.get('user');
  if (given === undefined && mapped) fail('linux.uidMappings: requires a user namespace in linux.namespaces');
  if (given && mapped) fail('linux.uidMappings: cannot be set for a user namespace that is joined by path');
  if (given === '' && !(linux.uidMappings?.length && linux.gidMappings?.length))
    fail('linux.uidMappings: uidMappings and gidMappings are required for a new user namespace');
}

/** Checks config-linux.md, "Network Devices". Valid names are those of dev_valid_name() in the kernel. */
function netDevices({ netDevices: devices = {} }: OciLinux, kinds: ReadonlyMap<NamespaceType, string>, fail: (why: string) => never): void {
  const entries = Object.entries(devices).map(([name, { name: wanted }]) => [name, wanted || name] as const);
  if (!entries.length) return;
  if (!kinds.has('network')) fail('linux.netDevices: requires a network namespace in linux.namespaces');
  if (!isInitialRoot()) fail('linux.netDevices: only root of the host can move network devices');
  const seen = new Set<string>();
  for (const [name, wanted] of entries) {
    for (const each of [name, wanted])
      if (!each || Buffer.byteLength(each) > 15 || each === '.' || each === '..' || /[/:\s]/.test(each))
        fail(`linux.netDevices.${name}: '${each}' is not a valid device name: use 1 to 15 bytes without '/', ':' and spaces`);
    if (/%/.test(wanted) && !/^[^%]*%d[^%]*$/.test(wanted)) fail(`linux.netDevices.${name}: '${wanted}' is not a valid template: use exactly one %d`);
    if (seen.has(wanted) && !wanted.includes('%')) fail(`linux.netDevices.${name}: another device has the name ${wanted} too`);
    seen.add(wanted);
  }
}

/** Checks config-linux.md, "IntelRdt": no name leads out of resctrl, and a line is one line. */
function intelRdt({ intelRdt: rdt }: OciLinux, fail: (why: string) => never): void {
  if (!rdt) return;
  const { closID, memBwSchema } = rdt;
  // "/" is the default class of all processes.
  if (closID !== undefined && closID !== '/' && (!closID || closID.includes('/') || closID === '.' || closID === '..'))
    fail(`linux.intelRdt.closID: '${closID}' is not a valid directory name`);
  if (memBwSchema && !/^MB:[^\n]*$/.test(memBwSchema)) fail("linux.intelRdt.memBwSchema: must be one line that begins with 'MB:'");
  for (const [i, line] of (rdt.schemata ?? []).entries()) if (line.includes('\n')) fail(`linux.intelRdt.schemata[${i}]: must be one line`);
}

/** Checks that a key belongs to a namespace of the container, as runc and crun do. Any other key would change the host. */
function sysctl(key: string, linux: OciLinux, kinds: ReadonlyMap<NamespaceType, string>, fail: (why: string) => never): void {
  const name = key.replaceAll('/', '.');
  const ipc = /^(?:kernel\.(?:msgmax|msgmnb|msgmni|sem|shmall|shmmax|shmmni|shm_rmid_forced)$|fs\.mqueue\.)/.test(name);
  if (ipc && !kinds.has('ipc')) fail(`linux.sysctl: ${key} requires an ipc namespace in linux.namespaces`);
  if (ipc) return;
  if (name.startsWith('net.')) {
    if (!kinds.has('network')) fail(`linux.sysctl: ${key} requires a network namespace in linux.namespaces`);
    return;
  }
  if (name === 'kernel.domainname' || name === 'kernel.hostname') {
    if (!kinds.has('uts')) fail(`linux.sysctl: ${key} requires a uts namespace in linux.namespaces`);
    if (name === 'kernel.hostname') fail(`linux.sysctl: ${key} cannot be set: use hostname`);
    return;
  }
  if (name.startsWith('user.') && kinds.get('user') === '' && linux.uidMappings?.length) return;
  fail(`linux.sysctl: ${key} is not namespaced and would change the host`);
}
