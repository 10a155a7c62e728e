import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { type ContainerRecord, directoryOf, heldLocks, monitorOf, releaseDead } from '@lamella/cleanup';
import { makeDirectory } from '@lamella/image';
import type { StreamingOf } from '@lamella/namespace';
import { ignoreMissing, observedReads, run, shapeOf, take, unobserved } from '@lamella/syscall';
import { applied } from '../changes/apply/program/journal.js';
import { recover } from '../changes/apply/recover.js';
import type { UndoOptions } from '../changes/apply/undo.js';
import { surveyHost } from '../filesystem/host/survey-host.js';
import type { Attached } from '../lifecycle/attach.js';
import { notFound } from '../lifecycle/container-errors.js';
import { type ContainerState, stateOf } from '../lifecycle/state.js';
import { EngineError } from '../model/engine-error.js';
import type { RunOptions } from '../model/run-options.js';
import type { RunSpec } from '../model/run-spec.js';
import { CHANGED_ENVIRONMENT, NETWORK, read, readRunOptions, runOptionsShape, runSpecShape, TERMINAL, TYPED, UMASK, WORDS } from '../options/option-shapes.js';
import { decide } from '../run/decide.js';
import { definedIn } from '../run/defined-variables.js';
import { explainFailure } from '../run/explain-failure.js';
import { launchDetached } from '../run/launch-detached.js';
import { creation } from '../run/plan/container-record.js';
import { prepareStore } from '../run/prepare-store.js';
import { type Container, startInForeground } from '../run/start.js';
import { readConfig } from '../store/config-file.js';
import { defaultRoot } from '../store/default-root.js';
import { type ContainerEvent, type EventOptions, readEvents, recordEvent } from '../store/events.js';
import { forgetDeadNames, idOf, namesById, withName } from '../store/names.js';
import { becomeDetached, type DetachedFrontOptions } from './front.js';
import { StoredContainer } from './stored-container.js';

/** A spec of a detached container; it is kept after its end, unless `remove` is set. */
export interface DetachedSpec extends Omit<RunSpec, 'root' | 'workspace' | 'keep' | 'removeAtEnd'> {
  /** Whether it is removed at its end. Default false. */
  readonly remove?: boolean;
}

/** What to try on the host. */
export interface TrySpec extends Partial<Pick<RunSpec, 'name' | 'cwd' | 'network' | 'terminal' | 'input' | 'umask'>> {
  /** The command and its arguments. */
  readonly args: readonly string[];
  /** Default: this process's. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Absolute paths of what it is not to read: empty things are there instead. */
  readonly hide?: readonly string[];
}

const DETACHED_SPEC = shapeOf<DetachedSpec>(() => {
  const { root, workspace, keep, removeAtEnd, ...shape } = runSpecShape();
  return { ...shape, remove: take.flag };
});
const TRY_SPEC = shapeOf<TrySpec>(() => ({
  args: take.required(WORDS),
  env: CHANGED_ENVIRONMENT,
  hide: take.listOf(take.text),
  name: take.text,
  cwd: take.text,
  network: NETWORK,
  terminal: TERMINAL,
  input: TYPED,
  umask: UMASK,
}));
const ATTACHED_OPTIONS = shapeOf<RunOptions & { readonly attach?: boolean }>(() => ({ ...runOptionsShape(), attach: take.flag }));
const UNDO_OPTIONS = shapeOf<UndoOptions>(() => ({ force: take.flag, onKept: take.functionOf(), onForgotten: take.functionOf() }));
const EVENT_OPTIONS = shapeOf<EventOptions>(() => ({ since: take.moment, until: take.moment, signal: take.abortSignal }));

/**
 * The containers of a store: detached ones, and those that other processes run in the foreground.
 * There is no daemon: each container has a monitor, and the kernel shows what it is doing.
 *
 * @example
 * ```js
 * import { Containers } from '@lamella/engine';
 *
 * const { container } = await new Containers().run({ image: 'busybox', name: 'job', args: ['sh', '-c', 'echo done > /result'] });
 * console.log((await container.wait())?.exitCode); // 0
 * for await (const change of container.changes()) console.log(change.kind, change.path); // added /result
 * await container.remove();
 * ```
 */
export class Containers {
  readonly root: string;
  readonly #directory: string;

  /** @param root absolute path of the store. Default: {@link defaultRoot} */
  constructor(root: string = defaultRoot()) {
    this.root = read('Containers(root)', root, take.absolutePath);
    this.#directory = path.join(root, 'containers');
  }

  /**
   * Makes a container, to be started later. Without a command it runs what {@link StoredContainer.run} is given.
   *
   * @throws EngineError `CONTAINER_EXISTS`, `NAME_INVALID`, …; ImageError; NamespaceError
   */
  async create(asked: DetachedSpec, options: RunOptions = {}): Promise<StoredContainer> {
    const [spec, given] = [read('create(spec)', asked, DETACHED_SPEC), readRunOptions('create(spec, options)', options)];
    const kept = { ...specOf(spec, true), ...(spec.remove ? { removeAtEnd: true } : {}) };
    await prepareStore(this.root, kept);
    const plan = await decide(kept, given, this.root, { detached: true, idle: true });
    try {
      await run(creation(plan, kept));
    } catch (error) {
      // Its directory is gone again; its name is nobody's.
      if (kept.name !== undefined) await forgetDeadNames(this.#directory);
      throw await explainFailure(error, plan, undefined);
    }
    await recordEvent(this.#directory, 'create', { id: plan.id, name: plan.config.spec.name, image: spec.image });
    return new StoredContainer(this.root, plan.config);
  }

  /**
   * Makes a container and starts it. It goes on when this process ends; one whose command cannot be
   * executed is not there at all.
   *
   * @throws as {@link create}, and what starting throws
   */
  async run(
    spec: DetachedSpec,
    options?: RunOptions & { readonly attach?: false },
  ): Promise<{ readonly container: StoredContainer; readonly attached: undefined }>;
  async run(spec: DetachedSpec, options: RunOptions & { readonly attach: true }): Promise<{ readonly container: StoredContainer; readonly attached: Attached }>;
  async run(
    asked: DetachedSpec,
    given: RunOptions & { readonly attach?: boolean } = {},
  ): Promise<{ readonly container: StoredContainer; readonly attached: Attached | undefined }> {
    const spec = read('run(spec)', asked, DETACHED_SPEC);
    const { attach = false, ...options } = read('run(spec, options)', given, ATTACHED_OPTIONS);
    const kept = specOf(spec, !spec.remove);
    await prepareStore(this.root, kept);
    const plan = await decide(kept, options, this.root, { detached: true, ...(attach ? { hold: 'go' } : {}) });
    const container = new StoredContainer(this.root, plan.config);
    try {
      const attached = await launchDetached(plan, attach);
      return { container, attached };
    } catch (error) {
      // It never began: nobody has use for it.
      await container.remove().catch((missing: { code?: string }) => {
        if (missing.code !== 'CONTAINER_NOT_FOUND') throw missing;
      });
      throw error;
    }
  }

  /**
   * Lets this process become what starts a detached container, prints its id and ends ({@link becomeContainer}). Returns only where that is
   * not possible, and nothing was made.
   *
   * @throws as {@link run}
   */
  async becomeRun(asked: DetachedSpec, given: RunOptions, front: DetachedFrontOptions): Promise<void> {
    const spec = read('becomeRun(spec)', asked, DETACHED_SPEC);
    const options = readRunOptions('becomeRun(spec, options)', given);
    await becomeDetached(specOf(spec, !spec.remove), options, this.root, front);
  }

  /**
   * Runs a command on the host itself, except that what it writes stays in a container, to be looked at
   * ({@link StoredContainer.changes}), applied, or removed. It runs as this user, in this directory, with this environment, and
   * sees no process but its own; when it ends, so do those.
   *
   * @throws EngineError `HIDE_INVALID`; what {@link createContainer} throws
   */
  async try<const O extends RunOptions = Record<never, never>>(asked: TrySpec, options: O = {} as O): Promise<Container<StreamingOf<O>>> {
    const { args, hide = [], ...spec } = read('try(spec)', asked, TRY_SPEC);
    const given = readRunOptions('try(spec, options)', options);
    const env = definedIn(spec.env ?? process.env);
    makeDirectory(this.#directory);
    const cwd = spec.cwd ?? process.cwd();
    const host = surveyHost(hide, { cwd, args, env });
    const whole: RunSpec = {
      image: 'host',
      network: 'host',
      ...spec,
      cwd,
      env,
      host,
      args,
      entrypoint: [],
      init: true,
      job: true,
      detachKeys: '',
      keep: true,
      root: this.root,
    };
    await prepareStore(this.root, whole);
    // What was never executed has changed nothing.
    return startInForeground(whole, given, this.root, {}, (id) => this.#forget(id));
  }

  async #forget(id: string): Promise<void> {
    try {
      await (await this.get(id)).remove();
    } catch (error) {
      if ((error as { code?: string }).code !== 'CONTAINER_NOT_FOUND') throw error;
    }
  }

  /**
   * Finds a container by its name, its id, or the beginning of it that no other has.
   *
   * @throws EngineError `CONTAINER_NOT_FOUND`, `CONTAINER_AMBIGUOUS`
   */
  async get(reference: string): Promise<StoredContainer> {
    read('get(reference)', reference, take.text);
    // The launcher looks for the same before it goes on from a record, and whether the container is still there.
    const ids = await unobserved(async () => {
      await recover(this.root);
      return this.#ids();
    });
    const byName = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(reference) ? await idOf(this.#directory, reference) : undefined;
    const [exact] = [byName, reference].filter((id) => id !== undefined && ids.includes(id));
    const found = exact === undefined ? ids.filter((id) => reference && id.startsWith(reference)) : [exact];
    if (found.length > 1)
      throw new EngineError({
        code: 'CONTAINER_AMBIGUOUS',
        message: `'${reference}' is the beginning of ${found.length} ids`,
        hint: `Write more of it: ${found.join(', ')}`,
      });
    const [id] = found;
    if (exact === undefined) observedReads()?.stop(`${reference} is a part of an id`);
    const config = id === undefined ? undefined : await readConfig(directoryOf({ containers: this.#directory, id }));
    if (!config) throw notFound(reference);
    return new StoredContainer(this.root, withName(config, id === byName ? reference : (await unobserved(() => namesById(this.#directory))).get(config.id)));
  }

  /**
   * Removes a container whose record is damaged, with all that it wrote: {@link get} does not find it.
   *
   * @param id whole
   * @throws EngineError `CONTAINER_NOT_FOUND`, `CONTAINER_RUNNING`; CleanupError `CLEANUP_INCOMPLETE`
   */
  async removeDamaged(id: string): Promise<void> {
    read('removeDamaged(id)', id, take.text);
    const record = this.#record(id);
    if (!(await this.#ids()).includes(id) || (await readConfig(directoryOf(record)))) throw notFound(id);
    const outcome = await releaseDead(record);
    if (outcome === 'alive')
      throw new EngineError({
        code: 'CONTAINER_RUNNING',
        message: `the container ${id} is running`,
        hint: `Its monitor has to end first: kill ${monitorOf(record, await heldLocks()) ?? 'it'}`,
      });
    if (outcome !== 'released') throw outcome;
    await forgetDeadNames(this.#directory);
  }

  /**
   * Undoes the last apply of a container; the container itself may be gone.
   *
   * @returns how many objects of the host are again what they were
   * @throws EngineError `UNDO_NOTHING`, `UNDO_CONFLICT`, `CONTAINER_NOT_FOUND`, …
   */
  async undoApply(reference: string, options: UndoOptions = {}): Promise<number> {
    const given = read('undoApply(reference, options)', options, UNDO_OPTIONS);
    read('undoApply(reference)', reference, take.text);
    const id = applied(this.root).includes(reference) ? reference : (await this.get(reference)).id;
    const { undo } = await import('../changes/apply/undo.js');
    return undo(this.root, id, given);
  }

  /** What all containers are doing, the newest first; those that are being made or removed are left out. */
  async list(): Promise<readonly ContainerState[]> {
    await recover(this.root);
    const [ids, names, held] = await Promise.all([this.#ids(), namesById(this.#directory), heldLocks()]);
    const states = await Promise.all(ids.map((id) => stateOf(this.#record(id), names.get(id), held)));
    return states.filter((state) => state !== undefined).sort((a, b) => b.config.created.localeCompare(a.config.created) || a.id.localeCompare(b.id));
  }

  /** What happens to them, from now on or since a time. */
  async *events(options: EventOptions = {}): AsyncGenerator<ContainerEvent> {
    const given = read('events(options)', options, EVENT_OPTIONS);
    await prepareStore(this.root);
    yield* readEvents(this.#directory, given);
  }

  #record(id: string): ContainerRecord {
    return { containers: this.#directory, id };
  }

  async #ids(): Promise<readonly string[]> {
    return ((await readdir(this.#directory).catch(ignoreMissing)) ?? []).filter((name) => !name.startsWith('.'));
  }
}

function specOf({ remove, ...spec }: DetachedSpec, keep: boolean): RunSpec {
  if (spec.restart && spec.restart.policy !== 'no' && remove)
    throw new EngineError({
      code: 'RESTART_CONTRADICTS',
      message: 'what is thrown away at its end cannot be started again',
      hint: 'Give --rm or --restart, not both.',
    });
  return { ...spec, keep };
}
