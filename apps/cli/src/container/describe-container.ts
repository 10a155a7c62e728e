import path from 'node:path';
import type { ContainerState } from '@lamella/engine';
import { knownStatusOf } from '../output/exit-status.js';
import { describeHostConfig } from './describe-host-config.js';
import { describeMounts } from './describe-mounts.js';
import { describeNetwork } from './describe-network.js';

/** Docker's word for a time that has not come. */
const NEVER = '0001-01-01T00:00:00Z';

/** Returns the output of `inspect`, with Docker's names. docs/guides/differences-from-docker.md lists the fields that Docker has in addition. */
export function describeContainer(state: ContainerState, upper: string): Record<string, unknown> {
  const { config, status, signal } = state;
  const { lowers } = config;
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
      // A container whose command does not begin is not there at all.
      Error: '',
      Signal: signal ?? 0,
      StartedAt: state.startedAt?.toISOString() ?? NEVER,
      FinishedAt: state.finishedAt?.toISOString() ?? NEVER,
    },
    RestartCount: state.restarts,
    Image: lowers.digest ?? '',
    LogPath: path.join(path.dirname(upper), 'log'),
    Driver: 'overlay',
    Platform: 'linux',
    Upper: upper,
    Lowers: lowers.trees,
    HostConfig: describeHostConfig(config),
    NetworkSettings: describeNetwork(config.spec, state.pid !== undefined),
    Mounts: describeMounts(config.spec),
    Config: describeCommand(state),
  };
}

function describeCommand({ id, config }: ContainerState): Record<string, unknown> {
  const { spec, lowers } = config;
  const entrypoint = spec.entrypoint ?? lowers.config.entrypoint ?? [];
  const command = config.args.slice(entrypoint.length);
  return {
    Hostname: config.env.HOSTNAME ?? id,
    Domainname: '',
    User: spec.user ?? lowers.config.user ?? '',
    AttachStdin: false,
    AttachStdout: false,
    AttachStderr: false,
    ExposedPorts: keysOf(lowers.config.exposedPorts),
    Tty: spec.terminal !== undefined,
    OpenStdin: spec.input?.forward ?? false,
    StdinOnce: false,
    Env: Object.entries(config.env).map(([name, value]) => `${name}=${value}`),
    Cmd: command.length ? command : null,
    Image: config.image,
    Volumes: keysOf(spec.anonymousVolumes),
    WorkingDir: spec.cwd ?? lowers.config.workingDir ?? '/',
    Entrypoint: entrypoint.length ? entrypoint : null,
    OnBuild: null,
    Labels: { ...lowers.config.labels, ...spec.labels },
    StopSignal: spec.stopSignal ?? lowers.config.stopSignal ?? 'SIGTERM',
    StopTimeout: spec.stopTimeout ?? 10,
  };
}

/** Returns a set as Docker writes it: an object with empty values. */
function keysOf(names: readonly string[] = []): Record<string, object> {
  return Object.fromEntries(names.map((name) => [name, {}]));
}
