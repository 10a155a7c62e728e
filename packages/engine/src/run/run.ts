import type { StreamingOf } from '@lamella/namespace';
import type { Program } from '@lamella/syscall';
import { recover } from '../changes/apply/recover.js';
import type { RunOptions } from '../model/run-options.js';
import type { RunSpec } from '../model/run-spec.js';
import { RUN_SPEC, read, readRunOptions, withInit } from '../options/option-shapes.js';
import { defaultRoot } from '../store/default-root.js';
import { prepareRoot } from '../store/prepare-root.js';
import { decide } from './decide.js';
import { prepare } from './prepare-store.js';
import { begin, type Container, type RunResult } from './start.js';

/**
 * Start a command in a new container of an image.
 *
 * @throws EngineError, ImageError, NamespaceError before anything was made; what fails later
 * rejects `result`, and has released everything by then
 */
export async function createContainer<const O extends RunOptions = Record<never, never>>(
  spec: RunSpec,
  options: O = {} as O,
): Promise<Container<StreamingOf<O>>> {
  const [asked, given] = [withInit(read('createContainer(spec)', spec, RUN_SPEC)), readRunOptions('createContainer(spec, options)', options)];
  const root = asked.root ?? defaultRoot();
  await prepare(root, asked);
  return begin(asked, given, root);
}

/** Run a command in a new container to its end. */
export async function run<const O extends RunOptions = Record<never, never>>(spec: RunSpec, options: O = {} as O): Promise<RunResult<StreamingOf<O>>> {
  const [asked, given] = [withInit(read('run(spec)', spec, RUN_SPEC)), readRunOptions('run(spec, options)', options)];
  const root = asked.root ?? defaultRoot();
  await prepare(root, asked);
  return (await begin(asked, given, root)).result;
}

/** The program that {@link run} would run, for reading. A workspace's image is unpacked for it. */
export async function explainRun(spec: RunSpec, options: RunOptions = {}): Promise<Program> {
  const [asked, given] = [withInit(read('explainRun(spec)', spec, RUN_SPEC)), readRunOptions('explainRun(spec, options)', options)];
  const root = asked.root ?? defaultRoot();
  prepareRoot(root);
  await recover(root);
  return (await decide(asked, given, root)).program;
}
