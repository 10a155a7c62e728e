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

/** Returns the directory of a container in the store. */
export const directoryOf = (record: ContainerRecord): string => path.join(record.containers, record.id);
/** Returns the path of a container's lock. The container lives while the lock is held. */
export const lockOf = (record: ContainerRecord): string => path.join(directoryOf(record), 'lock');
/** Returns the path of the journal of what a container has claimed. */
export const journalOf = (record: ContainerRecord): string => path.join(directoryOf(record), 'claims');
/** Returns the path of the mark of a container that is kept after its end. */
export const keptOf = (record: ContainerRecord): string => path.join(directoryOf(record), 'kept');
/** Returns the path of the socket of a container's monitor. */
export const controlOf = (record: ContainerRecord): string => path.join(directoryOf(record), 'control');
/** Returns the path of the lock that is held while containers are made, or collected. */
export const gateOf = (containers: string): string => path.join(containers, '.lock');
