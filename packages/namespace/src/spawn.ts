import { optionReader, type take } from '@lamella/syscall';
import { enter } from './enter.js';
import { NamespaceError } from './namespace-error.js';
import { inOwnIds } from './own-ids.js';
import { launch } from './process.js';
import { PROCESS_OPTIONS, type ProcessOptions } from './process-options.js';
import type { StreamingOf } from './process-result.js';
import type { ProcessSpec } from './process-spec.js';
import type { ContainerProcess } from './running-process.js';

const read = optionReader(NamespaceError);

/**
 * Start a process with a directory as its root, without image, overlay or anything to clean up:
 * what it mounts goes with its namespaces.
 *
 * @throws NamespaceError when the spec is not possible; what happens later rejects `result`
 */
export function spawn<const O extends ProcessOptions = Record<never, never>>(spec: ProcessSpec, options: O = {} as O): ContainerProcess<StreamingOf<O>> {
  return launch<O>(inOwnIds(enter(spec)), spec.args, read('spawn(spec, options)', options, PROCESS_OPTIONS as unknown as take.Check<O>));
}
