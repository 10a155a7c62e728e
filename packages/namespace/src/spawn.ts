import { enter } from './enter.js';
import { inOwnIds } from './own-ids.js';
import { type ContainerProcess, launch, type ProcessOptions } from './process.js';
import type { ProcessSpec } from './process-spec.js';

/**
 * Start a process with a directory as its root, without image, overlay or anything to clean up:
 * what it mounts goes with its namespaces.
 *
 * @throws NamespaceError when the spec is not possible; what happens later rejects `result`
 */
export function spawn(spec: ProcessSpec, options: ProcessOptions = {}): ContainerProcess {
  return launch(inOwnIds(enter(spec)), spec.args, options);
}
