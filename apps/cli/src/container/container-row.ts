import type { ContainerState } from '@lamella/engine';
import { knownStatusOf } from '../output/exit-status.js';
import { ago } from '../output/units.js';
import type { Headers } from '../template/fill.js';
import { formatPorts } from './format-ports.js';
import { formatStatus } from './format-status.js';

/** The columns of `ps`, by Docker's names and ours. */
export const CONTAINER_HEADERS = {
  ID: 'CONTAINER ID',
  Names: 'NAMES',
  Image: 'IMAGE',
  Command: 'COMMAND',
  CreatedAt: 'CREATED AT',
  RunningFor: 'CREATED',
  Ports: 'PORTS',
  State: 'STATE',
  Status: 'STATUS',
  Size: 'SIZE',
  Labels: 'LABELS',
  Mounts: 'MOUNTS',
  LocalVolumes: 'LOCAL VOLUMES',
  Networks: 'NETWORKS',
  Pid: 'PID',
  ExitCode: 'EXIT CODE',
} as const satisfies Headers;

export type ContainerRow = Record<Exclude<keyof typeof CONTAINER_HEADERS, 'Pid' | 'ExitCode'>, string> & {
  readonly Pid: number;
  readonly ExitCode: number | null;
};

/**
 * Returns the row of a container in `ps`.
 *
 * @param whole whether nothing is truncated
 * @param size bytes that it has changed, if they were counted
 */
export function containerRow(state: ContainerState, whole: boolean, size: string = ''): ContainerRow {
  const { config } = state;
  const command = config.args.join(' ').replaceAll('\n', ' ');
  const cut = (text: string, limit: number): string => (whole || [...text].length <= limit ? text : `${[...text].slice(0, limit - 1).join('')}…`);
  const sources = [...(config.spec.volumes ?? []).map(({ source }) => source), ...(config.spec.anonymousVolumes ?? [])].map((each) => cut(each, 15));
  return {
    ID: state.id,
    Names: state.name ?? '',
    Image: config.image,
    Command: `"${cut(command, 32)}"`,
    CreatedAt: formatTime(new Date(config.created)),
    RunningFor: ago(new Date(config.created)),
    Ports: ['running', 'paused'].includes(state.status) ? formatPorts(config.spec.publish ?? []).join(', ') : '',
    State: state.status,
    Status: formatStatus(state),
    Size: size,
    Labels: Object.entries(labelsOf(state))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, value]) => `${key}=${value}`)
      .join(','),
    Mounts: sources.join(','),
    LocalVolumes: '0',
    Networks: config.spec.network ?? 'none',
    Pid: state.pid ?? 0,
    ExitCode: knownStatusOf(state) ?? null,
  };
}

/** Returns the labels of a container: those of its image, and its own. */
export function labelsOf({ config }: ContainerState): Readonly<Record<string, string>> {
  return { ...config.lowers.config.labels, ...config.spec.labels };
}

/** Returns a time in Docker's format: 2026-01-02 15:04:05 +0000 UTC. */
export function formatTime(time: Date): string {
  return `${time.toISOString().slice(0, 19).replace('T', ' ')} +0000 UTC`;
}
