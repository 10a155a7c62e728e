import type { take } from '@lamella/syscall';
import { inUserNamespace } from '../identity/in-user-namespace.js';
import { PROCESS_OPTIONS, type ProcessOptions } from '../model/process-options.js';
import type { StreamingOf } from '../model/process-result.js';
import type { ProcessSpec } from '../model/process-spec.js';
import { PROCESS_SPEC, read } from '../model/spec-shapes.js';
import { enter } from './enter.js';
import { launch } from './process.js';
import type { ContainerProcess } from './running-process.js';

/**
 * Starts a process with a directory as its root, without image, overlay or anything to clean up:
 * what it mounts goes with its namespaces.
 *
 * @throws NamespaceError when the spec is not possible; what happens later rejects `result`
 *
 * @example
 * ```js
 * import { execFileSync } from 'node:child_process';
 * import { mkdirSync } from 'node:fs';
 * import { spawn } from '@lamella/namespace';
 *
 * const rootfs = `${process.cwd()}/rootfs`;
 * mkdirSync(rootfs);
 * execFileSync('tar', ['-xf', 'busybox.tar', '-C', rootfs]);
 * const { stdout } = await spawn({ rootfs, args: ['hostname'], env: { PATH: '/bin' }, hostname: 'example' }).result;
 * console.log(stdout); // example
 * ```
 */
export function spawn<const O extends ProcessOptions = Record<never, never>>(spec: ProcessSpec, options: O = {} as O): ContainerProcess<StreamingOf<O>> {
  const { args } = read('spawn(spec)', spec, PROCESS_SPEC);
  const given = read('spawn(spec, options)', options, PROCESS_OPTIONS as unknown as take.Check<O>);
  return launch<O>(inUserNamespace(enter(spec)), args, given);
}
