import type { User } from '@lamella/namespace';
import type { OwnIds } from './container-ids.js';
import type { Lowers } from './lowers.js';
import type { RunSpec } from './run-spec.js';
import type { Source } from './source.js';

/**
 * All that a container is, as `config.json` in its directory has it. It is written when the container is made. Only the view of the host
 * (`lamella try`) changes later, with the mounts of the machine.
 */
export interface ContainerConfig {
  readonly version: 1;
  readonly id: string;
  /** ISO 8601. */
  readonly created: string;
  /** Of a fork: when the first of its line was made. */
  readonly since?: string;
  /** As it was asked for. */
  readonly image: string;
  readonly spec: RunSpec;
  readonly lowers: Lowers;
  /** What runs, with which environment and as whom: the spec's and the image's words together. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly user: User;
  /** Ids of the host, if it has a separate user namespace. */
  readonly ids?: OwnIds;
  /** What it was given of the host, by the paths in its spec. */
  readonly sources?: Readonly<Record<string, Source>>;
}
