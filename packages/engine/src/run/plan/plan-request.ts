import type { Claim } from '@lamella/cleanup';
import type { CheckedSources } from '../../filesystem/sources/check-sources.js';
import type { Confinement } from '../../isolation/confinement.js';
import type { ContainerConfig } from '../../model/container-config.js';
import type { Lowers } from '../../model/lowers.js';
import type { RunSpec } from '../../model/run-spec.js';
import type { Sources } from '../../model/source.js';

/** Which start of a container a plan is for. */
export interface Life {
  /** The config of an existing container that starts again. Default: the container is new. */
  readonly again?: ContainerConfig;
  /** The container outlives this process and writes to its log. */
  readonly detached?: boolean;
  /** The container is created, not started. It may have no command: each `run` in it names one. */
  readonly idle?: boolean;
  /** No process starts: a program reads or writes the files of the stopped container, with their owners as they are on the disk. */
  readonly still?: boolean;
  /** See {@link ProcessSpec.hold}. */
  readonly hold?: 'go' | 'rest';
  /** Ids of the checkpoints below an existing container, the latest first. */
  readonly frozen?: readonly string[];
  /** Claims that the previous life left because its monitor was killed. */
  readonly left?: readonly Claim[];
  /** The host's objects for a new container, where they were recorded before. Default: what is there now. */
  readonly given?: Sources;
  /** Paths of sources of an existing container, where the user accepts what is there now. */
  readonly accept?: readonly string[];
}

/** What was chosen for a new container. A plan itself chooses nothing, so that equal requests have equal plans. */
export interface NewIdentity {
  readonly id: string;
  /** The name it is given where the user names none. */
  readonly name: string | undefined;
  /** When it was created, as in the config (ISO 8601). */
  readonly created: string;
}

/** Everything that a plan depends on. All questions to images, the host and the store's records are answered already. */
export interface PlanRequest {
  readonly spec: RunSpec;
  /** Absolute path of the store. */
  readonly root: string;
  readonly lowers: Lowers;
  readonly features: { readonly lowerdirPlus: boolean };
  readonly confined: Confinement;
  readonly sources: CheckedSources;
  readonly life: Life;
  /** Undefined for an existing container, which has its own. */
  readonly fresh: NewIdentity | undefined;
}

/** Returns what was chosen for a new container. */
export function newIdentityOf({ fresh }: Pick<PlanRequest, 'fresh'>): NewIdentity {
  if (!fresh) throw new TypeError('nothing was chosen for a new container');
  return fresh;
}
