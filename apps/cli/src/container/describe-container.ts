import { type ContainerState, type IdMap, logBounds, type PublishedPort, type RunSpec } from '@lamella/engine';
import { knownStatusOf } from '../output/exit-status.js';
import { hostBindings } from './format-ports.js';

/** Returns the output of `inspect`, with Docker's names. */
export function describeContainer(state: ContainerState, upper: string): Record<string, unknown> {
  const { config, status, signal } = state;
  const { spec, lowers } = config;
  const resources = spec.resources ?? {};
  return {
    Id: state.id,
    Name: state.name ?? '',
    Created: config.created,
    Path: config.args[0] ?? '',
    Args: config.args.slice(1),
    State: {
      Status: status,
      Running: status === 'running' || status === 'paused',
      Paused: status === 'paused',
      Restarting: status === 'restarting',
      OOMKilled: state.oomKilled,
      Dead: status === 'dead',
      Reason: state.reason ?? '',
      Pid: state.pid ?? 0,
      MonitorPid: state.monitor ?? 0,
      ExitCode: knownStatusOf(state) ?? 0,
      Signal: signal ?? 0,
      StartedAt: state.startedAt?.toISOString() ?? '',
      FinishedAt: state.finishedAt?.toISOString() ?? '',
    },
    RestartCount: state.restarts,
    Image: lowers.digest ?? '',
    Upper: upper,
    Lowers: lowers.trees,
    HostConfig: {
      NetworkMode: spec.network ?? 'none',
      PortBindings: byPort(spec.publish, ({ address = '', hostPort }) => [{ HostIp: address, HostPort: `${hostPort}` }]),
      AutoRemove: !spec.keep || spec.removeAtEnd === true,
      UsernsMode: userNamespaceWords(spec.userns),
      ...(config.ids ? { IDMappings: { UidMap: config.ids.uids.map(idMapWords), GidMap: config.ids.gids.map(idMapWords) } } : {}),
      RestartPolicy: { Name: spec.restart?.policy ?? 'no', MaximumRetryCount: spec.restart?.limit ?? 0 },
      LogConfig: { Type: 'cri', Config: logConfig(spec) },
      Privileged: spec.privileged ?? false,
      ReadonlyRootfs: spec.readonlyRoot ?? false,
      CapAdd: spec.capAdd ?? [],
      CapDrop: spec.capDrop ?? [],
      Memory: resources.memory ?? 0,
      MemorySwap: resources.memorySwap ?? 0,
      NanoCpus: Math.round((resources.cpus ?? 0) * 1e9),
      CpuShares: resources.cpuShares ?? 0,
      CpusetCpus: resources.cpusetCpus ?? '',
      PidsLimit: resources.pidsLimit ?? 0,
      BlkioWeight: resources.blkioWeight ?? 0,
      OomScoreAdj: spec.oomScoreAdj ?? 0,
      Init: spec.init ?? false,
      Devices: spec.devices ?? [],
      Ulimits: (spec.rlimits ?? []).map(({ name, soft, hard }) => ({ Name: name, Soft: soft, Hard: hard })),
      ShmSize: Number(spec.shmSize ?? 64 << 20),
    },
    NetworkSettings: { Ports: state.pid === undefined ? {} : byPort(spec.publish, hostBindings) },
    Mounts: [
      ...(spec.volumes ?? []).map(({ source, destination, readonly = false, overlay, propagation }) => ({
        Type: 'bind',
        Source: source,
        Destination: destination,
        Mode: [readonly ? 'ro' : 'rw', ...(overlay ? ['overlay'] : [])].join(','),
        RW: !readonly,
        Propagation: propagation === 'slave' ? 'rslave' : 'rprivate',
      })),
      ...(spec.anonymousVolumes ?? []).map((destination) => ({ Type: 'volume', Source: '', Destination: destination, RW: true })),
      ...(spec.tmpfs ?? []).map(({ destination, readonly = false }) => ({ Type: 'tmpfs', Source: '', Destination: destination, RW: !readonly })),
    ],
    Config: {
      Hostname: config.env.HOSTNAME ?? state.id,
      User: spec.user ?? lowers.config.user ?? '',
      Env: Object.entries(config.env).map(([name, value]) => `${name}=${value}`),
      Cmd: config.args,
      Image: config.image,
      WorkingDir: spec.cwd ?? lowers.config.workingDir ?? '/',
      Entrypoint: spec.entrypoint ?? lowers.config.entrypoint,
      Labels: { ...lowers.config.labels, ...spec.labels },
      Tty: spec.terminal !== undefined,
      OpenStdin: spec.input?.forward ?? false,
      StopSignal: spec.stopSignal ?? lowers.config.stopSignal ?? 'SIGTERM',
      StopTimeout: spec.stopTimeout ?? 10,
      ExposedPorts: lowers.config.exposedPorts ?? [],
    },
  };
}

/** Returns the log options with Docker's names. */
function logConfig(spec: RunSpec): Record<string, string> {
  const { maxSize, maxFiles } = logBounds(spec);
  return { 'max-size': `${maxSize || -1}`, 'max-file': `${maxFiles}` };
}

/** Returns the bindings on the host by port inside the container, as Docker does. */
function byPort<Binding>(ports: readonly PublishedPort[] = [], bindings: (port: PublishedPort) => readonly Binding[]): Record<string, readonly Binding[]> {
  const found: Record<string, readonly Binding[]> = {};
  for (const port of ports) {
    const key = `${port.containerPort}/${port.protocol}`;
    found[key] = [...(found[key] ?? []), ...bindings(port)];
  }
  return found;
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
