import type { StreamingOf } from '@lamella/namespace';
import type { Program } from '@lamella/syscall';
import { recover } from '../changes/apply/recover.js';
import type { RunOptions } from '../model/run-options.js';
import type { RunSpec } from '../model/run-spec.js';
import { RUN_SPEC, read, readRunOptions, withInit } from '../options/option-shapes.js';
import { defaultRoot } from '../store/default-root.js';
import { prepareRoot } from '../store/prepare-root.js';
import { decide } from './decide.js';
import { prepareStore } from './prepare-store.js';
import { type Container, type RunResult, startInForeground } from './start.js';

/**
 * Starts a command in a new container of an image.
 *
 * @throws EngineError, ImageError, NamespaceError before anything was made; what fails later
 * rejects `result`, and has released everything by then
 *
 * @example
 * ```js
 * import { createContainer } from '@lamella/engine';
 *
 * await using container = await createContainer({ image: 'busybox', args: ['seq', '2'] });
 * for await (const line of container) console.log(line); // 1, 2
 * ```
 */
export async function createContainer<const O extends RunOptions = Record<never, never>>(
  spec: RunSpec,
  options: O = {} as O,
): Promise<Container<StreamingOf<O>>> {
  const [asked, given] = [withInit(read('createContainer(spec)', spec, RUN_SPEC)), readRunOptions('createContainer(spec, options)', options)];
  const root = asked.root ?? defaultRoot();
  await prepareStore(root, asked);
  return startInForeground(asked, given, root);
}

/**
 * Runs a command in a new container to its end.
 *
 * @example
 * ```js
 * import { run } from '@lamella/engine';
 *
 * const { exitCode, stdout } = await run({ image: 'busybox', args: ['sh', '-c', 'echo hello; exit 3'] });
 * console.log(exitCode, stdout); // 3 hello
 * ```
 */
export async function run<const O extends RunOptions = Record<never, never>>(spec: RunSpec, options: O = {} as O): Promise<RunResult<StreamingOf<O>>> {
  const [asked, given] = [withInit(read('run(spec)', spec, RUN_SPEC)), readRunOptions('run(spec, options)', options)];
  const root = asked.root ?? defaultRoot();
  await prepareStore(root, asked);
  return (await startInForeground(asked, given, root)).result;
}

/** The program that {@link run} would run, for reading. A workspace's image is unpacked for it. */
export async function explainRun(spec: RunSpec, options: RunOptions = {}): Promise<Program> {
  const [asked, given] = [withInit(read('explainRun(spec)', spec, RUN_SPEC)), readRunOptions('explainRun(spec, options)', options)];
  const root = asked.root ?? defaultRoot();
  prepareRoot(root);
  await recover(root);
  return (await decide(asked, given, root)).program;
}
