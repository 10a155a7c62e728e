import { type ContainerConfig, type IdMap, logBounds, type RunSpec } from '@lamella/engine';
import { modeOf } from './describe-mounts.js';
import { byPort } from './describe-network.js';

/** Options of Docker that Lamella does not have, as Docker shows them where they are not used. */
const WITHOUT = {
  ContainerIDFile: '',
  VolumeDriver: '',
  VolumesFrom: null,
  CgroupnsMode: 'private',
  Dns: [],
  DnsOptions: [],
  DnsSearch: [],
  ExtraHosts: null,
  GroupAdd: null,
  IpcMode: 'private',
  Cgroup: '',
  Links: null,
  PidMode: '',
  PublishAllPorts: false,
  UTSMode: '',
  Runtime: 'lamella',
  CgroupParent: '',
  BlkioWeightDevice: [],
  BlkioDeviceReadBps: [],
  BlkioDeviceWriteBps: [],
  BlkioDeviceReadIOps: [],
  BlkioDeviceWriteIOps: [],
  CpuPeriod: 0,
  CpuQuota: 0,
  CpuRealtimePeriod: 0,
  CpuRealtimeRuntime: 0,
  CpusetMems: '',
  DeviceCgroupRules: null,
  DeviceRequests: null,
  MemoryReservation: 0,
  MemorySwappiness: null,
  OomKillDisable: false,
} as const;

/** Returns `HostConfig`. */
export function describeHostConfig({ spec, ids }: ContainerConfig): Record<string, unknown> {
  const resources = spec.resources ?? {};
  return {
    ...WITHOUT,
    Binds: orNull((spec.volumes ?? []).map((volume) => `${volume.source}:${volume.destination}:${modeOf(volume)}`)),
    NetworkMode: spec.network ?? 'none',
    PortBindings: byPort(spec.publish, ({ address = '', hostPort }) => [{ HostIp: address, HostPort: `${hostPort}` }]),
    AutoRemove: !spec.keep || spec.removeAtEnd === true,
    UsernsMode: userNamespaceWords(spec.userns),
    ...(ids ? { IDMappings: { UidMap: ids.uids.map(idMapWords), GidMap: ids.gids.map(idMapWords) } } : {}),
    RestartPolicy: { Name: spec.restart?.policy ?? 'no', MaximumRetryCount: spec.restart?.limit ?? 0 },
    LogConfig: { Type: 'cri', Config: logConfig(spec) },
    Privileged: spec.privileged ?? false,
    ReadonlyRootfs: spec.readonlyRoot ?? false,
    SecurityOpt: orNull(securityOptions(spec)),
    CapAdd: capabilities(spec.capAdd),
    CapDrop: capabilities(spec.capDrop),
    Memory: resources.memory ?? 0,
    MemorySwap: resources.memorySwap ?? 0,
    NanoCpus: Math.round((resources.cpus ?? 0) * 1e9),
    CpuShares: resources.cpuShares ?? 0,
    CpusetCpus: resources.cpusetCpus ?? '',
    PidsLimit: resources.pidsLimit ?? null,
    BlkioWeight: resources.blkioWeight ?? 0,
    OomScoreAdj: spec.oomScoreAdj ?? 0,
    Init: spec.init ?? false,
    Devices: spec.devices ?? [],
    Ulimits: (spec.rlimits ?? []).map(({ name, soft, hard }) => ({ Name: name, Soft: soft, Hard: hard })),
    ShmSize: Number(spec.shmSize ?? 64 << 20),
    Tmpfs: Object.fromEntries((spec.tmpfs ?? []).map(({ destination, readonly = false }) => [destination, readonly ? 'ro' : ''])),
  };
}

function orNull<Item>(list: readonly Item[]): readonly Item[] | null {
  return list.length ? list : null;
}

/** Returns capabilities with the prefix that Docker writes. */
function capabilities(names: readonly string[] = []): readonly string[] | null {
  return orNull(names.map((name) => (name === 'ALL' ? name : `CAP_${name.replace(/^CAP_/, '')}`)));
}

function securityOptions({ noNewPrivileges, seccomp }: RunSpec): readonly string[] {
  return [...(noNewPrivileges ? ['no-new-privileges'] : []), ...(seccomp === undefined ? [] : [`seccomp=${seccomp === 'unconfined' ? seccomp : 'profile'}`])];
}

/** Returns the log options with Docker's names. */
function logConfig(spec: RunSpec): Record<string, string> {
  const { maxSize, maxFiles } = logBounds(spec);
  return { 'max-size': `${maxSize || -1}`, 'max-file': `${maxFiles}` };
}

/** Returns the value of --userns. */
function userNamespaceWords(userns: RunSpec['userns'] = 'host'): string {
  if (typeof userns === 'string') return userns;
  if (userns.mode === 'auto') return userns.size === undefined ? 'auto' : `auto:size=${userns.size}`;
  return `${userns.uid}:${userns.gid}:${userns.size}`;
}

function idMapWords({ inside, outside, count }: IdMap): string {
  return `${inside}:${outside}:${count}`;
}
