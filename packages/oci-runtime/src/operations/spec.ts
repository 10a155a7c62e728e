import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { cgroupVersion } from '@lamella/cgroup';
import { OciError } from '../errors/oci-error.js';
import { NEWEST } from './features.js';

const CAPABILITIES = ['CAP_AUDIT_WRITE', 'CAP_KILL', 'CAP_NET_BIND_SERVICE'];
const QUIET = ['nosuid', 'noexec', 'nodev'];

/** Returns a configuration for a shell in new namespaces. With `rootless` an ordinary user can run it. */
export function defaultConfig(rootless: boolean): Record<string, unknown> {
  const [uid, gid] = [process.geteuid?.() ?? 0, process.getegid?.() ?? 0];
  const devpts = ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', ...(rootless ? [] : ['gid=5'])];
  return {
    ociVersion: NEWEST,
    process: {
      terminal: true,
      user: { uid: 0, gid: 0 },
      args: ['sh'],
      env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'TERM=xterm'],
      cwd: '/',
      capabilities: { bounding: CAPABILITIES, effective: CAPABILITIES, permitted: CAPABILITIES },
      rlimits: [{ type: 'RLIMIT_NOFILE', hard: 1024, soft: 1024 }],
      noNewPrivileges: true,
    },
    root: { path: 'rootfs', readonly: true },
    hostname: 'lamella',
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'] },
      { destination: '/dev/pts', type: 'devpts', source: 'devpts', options: devpts },
      { destination: '/dev/shm', type: 'tmpfs', source: 'shm', options: [...QUIET, 'mode=1777', 'size=65536k'] },
      { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: QUIET },
      rootless
        ? { destination: '/sys', type: 'none', source: '/sys', options: ['rbind', ...QUIET, 'ro'] }
        : { destination: '/sys', type: 'sysfs', source: 'sysfs', options: [...QUIET, 'ro'] },
      ...(rootless ? [] : [{ destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: [...QUIET, 'relatime', 'ro'] }]),
    ],
    linux: {
      ...(rootless ? { uidMappings: [{ containerID: 0, hostID: uid, size: 1 }], gidMappings: [{ containerID: 0, hostID: gid, size: 1 }] } : {}),
      ...(rootless ? {} : { resources: { devices: [{ allow: false, access: 'rwm' }] } }),
      namespaces: ['pid', ...(rootless ? ['user'] : ['network']), 'ipc', 'uts', 'mount', ...(cgroupVersion() === 2 ? ['cgroup'] : [])].map((type) => ({
        type,
      })),
      maskedPaths: [
        '/proc/acpi',
        '/proc/asound',
        '/proc/interrupts',
        '/proc/kcore',
        '/proc/keys',
        '/proc/latency_stats',
        '/proc/timer_list',
        '/proc/timer_stats',
        '/proc/sched_debug',
        '/sys/firmware',
        '/sys/devices/virtual/powercap',
        '/proc/scsi',
      ],
      readonlyPaths: ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'],
    },
  };
}

/** Writes the default configuration as `config.json` into a bundle (absolute path). @throws OciError `CONFIG_EXISTS` */
export function writeSpec(bundle: string, rootless: boolean): void {
  const file = path.join(bundle, 'config.json');
  if (existsSync(file))
    throw new OciError({ code: 'CONFIG_EXISTS', message: `File ${file} exists. Remove it first`, hint: 'Choose another bundle directory: --bundle DIR' });
  writeFileSync(file, `${JSON.stringify(defaultConfig(rootless), null, '\t')}\n`, { mode: 0o666 });
}
