import type { ProcessSpec } from './process-spec.js';

/** Another process for a container that runs. */
export interface JoinSpec
  extends Pick<
    ProcessSpec,
    'args' | 'env' | 'cwd' | 'user' | 'umask' | 'rlimits' | 'capabilities' | 'ambient' | 'seccomp' | 'noNewPrivileges' | 'terminal' | 'input' | 'oomScoreAdj'
  > {
  /** The host's pid of a process of the container. */
  readonly pid: number;
  /** Which of its namespaces are not this process's own. */
  readonly namespaces: NonNullable<ProcessSpec['namespaces']>;
  /** Absolute directories of cgroups to be in; `version` 2 has one. */
  readonly cgroups?: { readonly version: 1 | 2; readonly directories: readonly string[] };
}
