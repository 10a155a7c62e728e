import { existsSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { wasOomKilled } from '@lamella/cgroup';
import { claimsLeft, sweep } from '@lamella/cleanup';
import { type CommandProcess, launch, type ProcessResult, type Streaming, type StreamingOf } from '@lamella/namespace';
import { hasLowerdirPlus, methodFor } from '@lamella/overlay';
import { LamellaError, type Program } from '@lamella/syscall';
import { recover } from '../changes/apply/recover.js';
import { settled, standing } from '../checkpoints/checkpoint.js';
import { unreachable } from '../filesystem/host/host-paths.js';
import type { OverlayState } from '../filesystem/host/survey-host.js';
import { acceptSources } from '../filesystem/sources/accept-sources.js';
import { type CheckedSources, checkSources } from '../filesystem/sources/check-sources.js';
import { differenceOf, lookAt } from '../filesystem/sources/identify-source.js';
import { completeSources, noteSources, readSources, recordSources } from '../filesystem/sources/record-sources.js';
import { isEmpty, untouchedOf } from '../filesystem/sources/unchanged-overlays.js';
import { overlayVolumes } from '../filesystem/writable-mounts.js';
import { confinement } from '../isolation/confinement.js';
import type { ContainerConfig } from '../model/container-config.js';
import { EngineError } from '../model/engine-error.js';
import type { HostOverlay, HostView } from '../model/host-view.js';
import type { RunOptions } from '../model/run-options.js';
import type { RunSpec } from '../model/run-spec.js';
import type { Source, Sources } from '../model/source.js';
import { RUN_SPEC, read, readRunOptions, withInit } from '../options/option-shapes.js';
import { defaultRoot } from '../store/default-root.js';
import { rotateEvents } from '../store/events.js';
import { forgetDeadNames } from '../store/names.js';
import { prepareRoot } from '../store/prepare-root.js';
import { sweepImages } from '../store/sweep-images.js';
import { explainFailure } from './explain-failure.js';
import { lowersOf, sameLowers } from './image-layers.js';
import { ignoredVolumes } from './plan/mount-order.js';
import { type Life, type Plan, plan } from './plan/plan.js';

/** How a container ended. */
export interface RunResult<S extends Streaming = Streaming> extends ProcessResult<S> {
  readonly id: string;
  /** Whether the kernel killed a process of it because its memory had run out. */
  readonly oomKilled: boolean;
  /** Absolute path of the kept upper directory. */
  readonly kept: string | undefined;
}

/**
 * A running container. Its mounts are its own and go with it; disposing kills what still runs and
 * resolves when nothing of it is left.
 */
export interface Container<S extends Streaming = Streaming> extends CommandProcess<S>, AsyncDisposable {
  readonly id: string;
  /** The host's pid of its init, once the command has been executed; undefined if it never is. */
  readonly started: Promise<number | undefined>;
  readonly result: Promise<RunResult<S>>;
  /** Absolute path, on the host, of what it changed. */
  readonly upper: string;
  /** Resolves when the user left it with the keys for that: it goes on, and `result` stays pending. */
  readonly detached: Promise<void>;
  /** Where the host sees the merged view while it runs; undefined when it never started. */
  merged(): Promise<string | undefined>;
  resize(rows: number, columns: number): void;
  /** Tell it that the user's terminal is this process's again, after `onStopped`. */
  foreground(): void;
}

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

/** Start one life of a container in the foreground. `onNeverBegun` is told of one whose command was never executed. */
export async function begin<O extends RunOptions>(
  spec: RunSpec,
  options: O,
  root: string,
  life: Life = {},
  onNeverBegun?: (id: string) => Promise<void>,
): Promise<Container<StreamingOf<O>>> {
  const explained = async (error: unknown): Promise<unknown> => {
    if (!spec.host) return error;
    const { inHostWords } = await import('./explain-try-failure.js');
    return inHostWords(error, { args: spec.args ?? [], cwd: spec.cwd ?? '/', root });
  };
  const { onProgress, onNote, onPull, ...own } = options;
  const attempt = async (asked: RunSpec) => {
    const decided = await decide(asked, options, root, life);
    const events: string[] = [];
    const running = launch<O>(decided.program, decided.args, own as unknown as O, (data) => {
      events.push(data.toString('latin1'));
    });
    return { decided, running, events };
  };
  const { decided, running, events } = await startInView(spec, options, life, attempt, onNeverBegun).catch(async (error: unknown) => {
    throw await explained(error);
  });
  const { stack, id } = decided;
  const upper = stack.upperdir ?? '';

  const finish = async (): Promise<RunResult<StreamingOf<O>>> => {
    try {
      // The same object: a result that failed is an error.
      return Object.assign(await running.outcome, { id, oomKilled: wasOomKilled(events.join('')), kept: spec.keep ? upper : undefined });
    } catch (error) {
      if ((await running.started) === undefined) await onNeverBegun?.(id);
      throw await explained(await explainFailure(error, decided, spec.workspace));
    } finally {
      if (spec.name !== undefined && !spec.keep) await forgetDeadNames(`${root}/containers`);
      if (spec.keep) await notePlaces(root, decided.config);
    }
  };
  const outcome = finish();
  let settled = false;
  const ended = outcome
    .then(
      () => undefined,
      () => undefined,
    )
    .then(() => {
      settled = true;
    });
  return {
    stdin: running.stdin,
    stdout: running.stdout,
    stderr: running.stderr,
    all: running.all,
    readable: running.readable,
    iterable: running.iterable,
    [Symbol.asyncIterator]: running[Symbol.asyncIterator],
    kill: running.kill,
    id,
    started: running.started,
    result: running.settle(outcome),
    upper,
    async merged() {
      const pid = await running.started;
      if (pid === undefined) return undefined;
      return spec.workspace && process.geteuid?.() === 0 ? stack.merged : `/proc/${pid}/root`;
    },
    detached: running.detached.then(() => running.release()),
    resize: running.resize,
    foreground: running.foreground,
    async [Symbol.asyncDispose]() {
      if (!settled) running.kill('SIGKILL');
      running.abort();
      await ended;
    },
  };
}

/** A start of a command, of which nobody knows yet whether it begins. */
interface Attempt {
  readonly decided: Plan;
  readonly running: { readonly started: Promise<number | undefined>; readonly outcome: Promise<unknown> };
}

/** Starts a command. In a view of the host it starts it again if the host changed while the view was put together, and waits until the command begins. */
async function startInView<A extends Attempt>(
  spec: RunSpec,
  options: RunOptions,
  life: Life,
  attempt: (spec: RunSpec) => Promise<A>,
  onNeverBegun: ((id: string) => Promise<void>) | undefined,
): Promise<A> {
  if (!spec.host) return attempt(spec);
  const { ChangingHost, isRepeatable, mayHaveChanged } = await import('./changing-host.js');
  if (!isRepeatable(options)) return attempt(spec);
  const host = new ChangingHost(spec, life.again !== undefined);
  for (let now = spec; ; ) {
    const made = await attempt(now).catch((error: unknown) => ({ error }));
    let failure: unknown;
    if ('error' in made) failure = made.error;
    else if ((await made.running.started) !== undefined) return made;
    else
      failure = await made.running.outcome.then(
        () => undefined,
        (error: unknown) => error,
      );
    const next = failure !== undefined && mayHaveChanged(failure) ? host.next() : undefined;
    if (!next) {
      if ('error' in made) throw made.error;
      return made;
    }
    if (!('error' in made)) await onNeverBegun?.(made.decided.id);
    now = next;
  }
}

/**
 * Notes what a container of an ordinary user wrote in on the host: for root overlayfs does. What cannot be looked at stays in doubt, and
 * is no failure of the container's.
 */
async function notePlaces(root: string, config: ContainerConfig): Promise<void> {
  if (process.geteuid?.() === 0 || !(config.spec.host || overlayVolumes(config.spec).length)) return;
  const record = { containers: path.join(root, 'containers'), id: config.id };
  try {
    const { noteSeenPlaces } = await import('../changes/apply/conflicts/seen-directories.js');
    await noteSeenPlaces(record, config, standing(root, record, config).views);
  } catch (error) {
    if (!(error instanceof LamellaError) && (error as NodeJS.ErrnoException).code === undefined) throw error;
  }
}

/** Make the places that containers need, and release what dead ones left. */
export async function prepare(root: string, { name }: Pick<RunSpec, 'name'> = {}): Promise<void> {
  prepareRoot(root);
  await recover(root);
  rotateEvents(`${root}/containers`);
  const { released } = await sweepNow(`${root}/containers`);
  // Names cost a look at each: whoever wants one takes it, and so does who has just taken somebody's away.
  if (name !== undefined || released.length) await forgetDeadNames(`${root}/containers`);
  await sweepImages(root);
}

/** When this process swept a store last, and how long that took, in milliseconds. */
const swept = new Map<string, { readonly at: number; readonly took: number }>();
/** Of the time of a process that starts one container after the other, sweeping takes this part at the most. */
const SWEEPING = 1 / 20;

/** Where a thousand live, a look at all of them takes as long as half a start: then not every start pays for it. */
async function sweepNow(containers: string): Promise<{ readonly released: readonly string[] }> {
  const last = swept.get(containers);
  const began = performance.now();
  if (last && began - last.at < last.took / SWEEPING) return { released: [] };
  const result = await sweep(containers);
  const now = performance.now();
  // Where some had died more may.
  if (result.released.length || result.failed.length) swept.delete(containers);
  else swept.set(containers, { at: now, took: now - began });
  return result;
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

/** The host as a container is to see it now: since it began, mounts and directories may have gone and come. */
async function hostNow({ cwd, args, env }: RunSpec, host: HostView, root: string, { again, idle }: Life): Promise<HostView> {
  if (!again) return host;
  const directory = path.join(root, 'containers', again.id);
  const recorded = readSources(directory, again);
  const frozen = standing(root, { containers: path.join(root, 'containers'), id: again.id }, again).frozen.length > 0;
  const stateOf = ({ gone }: HostOverlay, i: number, was: Source | undefined): OverlayState => {
    if (!frozen && isEmpty(path.join(directory, `upper.${i + 1}`))) return 'untouched';
    // An earlier version wrote nothing down.
    return (was ? isThere(was) : !gone) ? 'same' : 'other';
  };
  // Nothing is started: only what was changed in directories that are gone must not be looked for there.
  if (idle)
    return { ...host, overlays: host.overlays.map((each, i) => (stateOf(each, i, recorded.get(each.path)) === 'other' ? { ...each, gone: true } : each)) };
  const { goOn, surveyHost } = await import('../filesystem/host/survey-host.js');
  const now = surveyHost([], { cwd: cwd ?? '/', args: args ?? [], env: env ?? {} });
  return goOn(host, now, recorded, stateOf);
}

function isThere(was: Source): boolean {
  try {
    return differenceOf(was, lookAt(was.path)) === undefined;
  } catch (error) {
    unreachable(error);
    return false;
  }
}

/**
 * Decide all about one life of a container.
 *
 * @throws EngineError, ImageError, NamespaceError, SeccompError, CgroupError
 */
export async function decide(asked: RunSpec, options: RunOptions, root: string, life: Life = {}): Promise<Plan> {
  const spec = withRealWorkspace(asked.host ? { ...asked, host: await hostNow(asked, asked.host, root, life) } : asked);
  for (const note of spec.host?.notes ?? []) options.onNote?.(note, true);
  if (spec.host?.doubt !== undefined) options.onNote?.(spec.host.doubt, false);
  const confined = await confinement(spec);
  const sources = sourcesFor(spec, root, life);
  const lowers = life.again ? sameLowers(life.again.lowers, life.again.image) : await lowersOf(spec, options, root);
  const ignored = life.again ? [] : ignoredVolumes(lowers.config);
  if (ignored.length) options.onNote?.(`the image calls ${ignored.join(', ')} a volume, which stays what the kernel shows there`, true);
  // Only stacks with more option text than a page need to know.
  const probe = { lowerdirs: lowers.trees, merged: '/' };
  const lowerdirPlus = methodFor(probe, { lowerdirPlus: false }) !== 'mount' && (await hasLowerdirPlus());
  const frozen = life.again ? await settled(root, life.again) : [];
  if (life.again) checkUpper(life.again, root);
  const left = life.again ? await claimsLeft({ containers: path.join(root, 'containers'), id: life.again.id }) : [];
  return plan(spec, root, lowers, { lowerdirPlus }, confined, sources, { ...life, frozen, left });
}

/** What a container had written is not made anew, empty, without a word. @throws EngineError `UPPER_GONE` */
function checkUpper({ id, spec }: ContainerConfig, root: string): void {
  const upper = path.join(spec.workspace ?? path.join(root, 'containers', id), 'upper');
  if (existsSync(upper)) return;
  throw new EngineError({
    code: 'UPPER_GONE',
    message: `what the container ${spec.name ?? id} had written is gone: ${upper} is missing`,
    hint: `Put it back, or remove the container: lamella rm ${id}`,
  });
}

/**
 * Checks whether a container that is there could be started again, and writes nothing down.
 *
 * @throws EngineError `IMAGE_GONE`, `UPPER_GONE`, `VOLUME_MOVED`, `VOLUME_INVALID`
 */
export function checkAgain(config: ContainerConfig, root: string, accept: readonly string[]): void {
  checkUpper(config, root);
  sameLowers(config.lowers, config.image);
  // What a view of the host shows is looked for at each start anew.
  if (!config.spec.host) sourcesFor(config.spec, root, { again: config, accept }, () => undefined);
}

/** What a container is given of the host: what it was given when it was made. @throws EngineError `VOLUME_MOVED`, `VOLUME_INVALID`, `DEVICE_INVALID` */
function sourcesFor(spec: RunSpec, root: string, { again, given, accept = [] }: Life, note: typeof noteSources = noteSources): CheckedSources {
  const name = spec.name ?? again?.id ?? spec.image;
  if (!again) return given ? sameAsGiven(given, spec, name) : { container: name, now: recordSources(spec) };
  const directory = path.join(root, 'containers', again.id);
  const known = completeSources(directory, { ...again, spec });
  if (!spec.host && !accept.length) return checkSources(known, spec, name);
  const { views } = standing(root, { containers: path.join(root, 'containers'), id: again.id }, { ...again, spec });
  const changed = new Set(views.flatMap((view) => (view.source !== undefined && (view.frozen.length || !isEmpty(view.upperdir)) ? [view.source] : [])));
  const recorded = acceptSources(known, accept, { spec, container: name, changed });
  if (accept.length) note(directory, recorded);
  if (!spec.host) return checkSources(recorded, spec, name);
  // What came since is what it is now.
  const back = spec.host.overlays.flatMap((each) => (!each.gone && each.was ? [[each.path, each.was] as const] : []));
  const complete = new Map([...recordSources({ host: spec.host }, recorded), ...recorded, ...back]);
  const checked = checkSources(complete, spec, name, untouchedOf(views, spec));
  // It went away since the host was surveyed, a moment ago.
  for (const error of checked.gone?.values() ?? []) throw error;
  // What is written from now on is written for what is there now.
  if ([...checked.now].some(([pathname, is]) => differsFrom(recorded.get(pathname), is))) note(directory, new Map([...recorded, ...checked.now]));
  return checked;
}

/** The sources of one container of a pool, which has no name to start it by. @throws EngineError `VOLUME_MOVED` */
function sameAsGiven(given: Sources, spec: RunSpec, name: string): CheckedSources {
  try {
    return checkSources(given, spec, name);
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    throw new EngineError({
      code: error.code,
      message: error.message,
      hint: 'Nothing was changed. Put back what was there; or close the pool, and make another one.',
      cause: error,
    });
  }
}

function differsFrom(was: Source | undefined, is: Source): boolean {
  return was === undefined || differenceOf(was, is) !== undefined;
}

/** The links in the path of a workspace are followed once. */
function withRealWorkspace(spec: RunSpec): RunSpec {
  if (spec.workspace === undefined || !existsSync(spec.workspace)) return spec;
  return { ...spec, workspace: realpathSync.native(spec.workspace) };
}
