import path from 'node:path';

/**
 * Where a container's traces are: `<containers>/<id>/` with `lock` (an flock held by the monitor
 * proves that it lives), `claims` (the journal), `control` (the monitor's socket) and `kept` (present
 * when it stays after its end). `<containers>/.lock` is shared by those who are between making the directory and locking
 * it, and taken alone by sweep.
 */
export interface ContainerRecord {
  /** Absolute path of the directory that holds all containers. */
  readonly containers: string;
  readonly id: string;
}

export const directoryOf = (record: ContainerRecord): string => path.join(record.containers, record.id);
export const lockOf = (record: ContainerRecord): string => path.join(directoryOf(record), 'lock');
export const journalOf = (record: ContainerRecord): string => path.join(directoryOf(record), 'claims');
export const keptOf = (record: ContainerRecord): string => path.join(directoryOf(record), 'kept');
export const controlOf = (record: ContainerRecord): string => path.join(directoryOf(record), 'control');
export const gateOf = (containers: string): string => path.join(containers, '.lock');
