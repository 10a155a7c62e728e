import { existsSync } from 'node:fs';
import { unlink } from 'node:fs/promises';
import { constants } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFrozen } from '@lamella/cgroup';
import { type ContainerRecord, directoryOf, heldLocks, lockOf, monitorOf, releaseDead } from '@lamella/cleanup';
import { type CommitOptions, type CommittedImage, ImageStore, sourceDateEpoch } from '@lamella/image';
import type { ContainerProcess, StreamingOf } from '@lamella/namespace';
import { canBecomeFront, connectMonitor, type FrontOptions, lockFile, type MonitorConnection, shellWord, take } from '@lamella/syscall';
import type { Applied, ApplyOptions } from '../changes/apply/apply.js';
import { began } from '../changes/apply/conflicts/start-time.js';
import { recover } from '../changes/apply/recover.js';
import { type ContainerChange, changesIn } from '../changes/changes.js';
import { type Contents, contentsOf } from '../changes/contents.js';
import { layerOf } from '../changes/layer-archive.js';
import { type Branching, branching, checkpoint, currentState, fork, removeLater, rollback, settled, standing } from '../checkpoints/checkpoint.js';
import { type Checkpoint, collectStates, LONG, readFrozen, readHistory } from '../checkpoints/states.js';
import { type CheckedSources, checkSources, explainMoved, goneDirectory } from '../filesystem/sources/check-sources.js';
import { completeSources } from '../filesystem/sources/record-sources.js';
import { untouchedOf } from '../filesystem/sources/unchanged-overlays.js';
import { isByFuse } from '../filesystem/uses-fuse.js';
import { checkedViews } from '../filesystem/writable-mounts.js';
import { detailsOf, type ProcessDetails, processesOf } from '../isolation/processes.js';
import { type Attached, attachTo, type Ending } from '../lifecycle/attach.js';
import type { ContainerFiles } from '../lifecycle/container-root.js';
import type { PathState } from '../lifecycle/copy.js';
import { type ExecOptions, type ExecPlan, type ExecSpec, execIn, planExec } from '../lifecycle/exec.js';
import { launchDetached } from '../lifecycle/launch-detached.js';
import { type LogEntry, type LogOptions, readLogs } from '../lifecycle/logs.js';
import { type ContainerState, stateOf } from '../lifecycle/state.js';
import { type ContainerUsage, usageOf } from '../lifecycle/usage.js';
import type { AcceptOptions } from '../model/accept-options.js';
import type { ContainerConfig } from '../model/container-config.js';
import { EngineError } from '../model/engine-error.js';
import type { AgainSpec } from '../model/rerun-spec.js';
import type { RunOptions } from '../model/run-options.js';
import type { RunSpec } from '../model/run-spec.js';
import type { CheckedView, View } from '../model/writable-mount.js';
import { read, readRunOptions, withInit } from '../options/option-shapes.js';
import { signalNumber } from '../options/signal-number.js';
import { checkAgain, decide } from '../run/decide.js';
import { prepare } from '../run/prepare-store.js';
import { begin, type Container } from '../run/start.js';
import { absent } from '../store/absent.js';
import { readConfig } from '../store/config-file.js';
import { tellEvent } from '../store/events.js';
import { generateName, removeGiven } from '../store/generated-names.js';
import { cgroupName, checkName } from '../store/identifiers.js';
import { checkNotGiven, forgetDeadNames, nameLinkOf, namesById, takeName, withName } from '../store/names.js';
import {
  AGAIN_SPEC,
  APPLY_OPTIONS,
  COMMIT_OPTIONS,
  CONTENTS_OPTIONS,
  COPY_IN_OPTIONS,
  EXEC_OPTIONS,
  EXEC_SPEC,
  FORKS,
  LOG_OPTIONS,
  REMOVE_OPTIONS,
  RESTART_OPTIONS,
  START_OPTIONS,
  STOP_OPTIONS,
  type StopOptions,
  WAIT_OPTIONS,
} from './container-option-shapes.js';
import { definedIn } from './defined-variables.js';
import { becomeExec } from './front.js';

/** Whose states this process is squashing. */
const squashing = new Set<string>();

/** A container of the store, living or not. Every question is asked of the kernel anew. */
export class StoredContainer {
  readonly id: string;
  /** Absolute path of what it changed, on the host. */
  readonly upper: string;
  #config: ContainerConfig;
  readonly #record: ContainerRecord;
  readonly #root: string;

  /** Containers are found, and made, by {@link Containers}. */
  constructor(root: string, config: ContainerConfig) {
    this.#root = root;
    this.#record = { containers: path.join(root, 'containers'), id: config.id };
    this.id = config.id;
    this.#config = config;
    this.upper = path.join(config.spec.workspace ?? directoryOf(this.#record), 'upper');
  }

  /** What it is, as this object read it last. A view of the host has other directories after each run; see {@link RunSpec.host}. */
  get config(): ContainerConfig {
    return this.#config;
  }

  /**
   * Reads the config again where it changes. Directories of a view of the host are known by their place in it: by an old one, changes of one
   * directory would be taken for those of another.
   */
  async #refresh(): Promise<void> {
    if (!this.#config.spec.host) return;
    const config = await readConfig(directoryOf(this.#record));
    if (config) this.#config = withName(config, this.#config.spec.name);
  }

  /** @throws EngineError `CONTAINER_NOT_FOUND` when it is gone */
  async state(): Promise<ContainerState> {
    const name = (await namesById(this.#record.containers)).get(this.id);
    const state = await stateOf(this.#record, name);
    if (!state) throw notFound(this.id);
    return state;
  }

  /**
   * Start it, as its config says, with what it changed before. With `attach` its output is had from the
   * first byte on. Resolves when its command has been executed.
   *
   * @throws EngineError `CONTAINER_RUNNING`, `CONTAINER_NOT_FOUND`, `IMAGE_GONE`, `VOLUME_MOVED`, `VOLUME_INVALID` (a source that cannot be
   * accepted); NamespaceError `COMMAND_NOT_FOUND`, …
   */
  async start(options?: AcceptOptions & { readonly attach?: false }): Promise<undefined>;
  async start(options: AcceptOptions & { readonly attach: true }): Promise<Attached>;
  async start(options: AcceptOptions & { readonly attach?: boolean } = {}): Promise<Attached | undefined> {
    const { attach = false, acceptSources = [] } = read('start(options)', options, START_OPTIONS);
    await recover(this.#root);
    await this.#refresh();
    const { workspace } = this.config.spec;
    if (workspace !== undefined) throw this.#ofWorkspace(workspace);
    const { status, monitor } = await this.state();
    if (status === 'paused') throw this.#paused('it has to be unpaused, not started');
    // Of one that has just ended the monitor is about to go.
    if (status === 'exited') await this.#letGo(monitor);
    const plan = await decide(this.config.spec, {}, this.#root, {
      again: this.config,
      accept: acceptSources,
      detached: true,
      ...(attach ? { hold: 'go' } : {}),
    });
    return launchDetached(plan, attach);
  }

  /**
   * Come to its stdin, stdout and stderr; any number may at once, up to sixteen.
   *
   * @throws EngineError `CONTAINER_NOT_RUNNING`, `NOT_ATTACHABLE`
   */
  async attach(): Promise<Attached> {
    const { status } = await this.state();
    this.#mustRun(status);
    if (status === 'paused') throw this.#paused('nothing would be heard of it');
    if (!this.hasLog && !this.config.spec.terminal)
      throw new EngineError({
        code: 'NOT_ATTACHABLE',
        message: `what the container ${this.id} writes goes to whoever runs it`,
        hint: 'Those that run by themselves (-d), or on a terminal (-t), can be attached to.',
      });
    const attached = await attachTo(directoryOf(this.#record));
    if (!attached) throw this.#unreachable();
    return attached;
  }

  /** Whether what it writes is written down: that of a container which runs by itself is. */
  get hasLog(): boolean {
    return existsSync(path.join(directoryOf(this.#record), 'log'));
  }

  /** What it wrote, line by line; nothing of a container whose output went to whoever ran it. */
  async *logs(options: LogOptions = {}): AsyncGenerator<LogEntry> {
    const given = read('logs(options)', options, LOG_OPTIONS);
    using connection = given.follow ? await connectMonitor(directoryOf(this.#record), () => undefined) : undefined;
    yield* readLogs(directoryOf(this.#record), given, () => connection?.closed ?? Promise.resolve());
  }

  /**
   * Start another command in it. Its result is what that of a run is.
   *
   * @throws EngineError `CONTAINER_NOT_RUNNING`, `CONTAINER_PAUSED`, `NO_COMMAND`; NamespaceError `USER_NOT_FOUND`
   */
  async exec<const O extends ExecOptions = Record<never, never>>(spec: ExecSpec, options: O = {} as O): Promise<ContainerProcess<StreamingOf<O>>> {
    const [asked, given] = [read('exec(spec)', spec, EXEC_SPEC), read('exec(spec, options)', options, EXEC_OPTIONS as unknown as take.Check<O>)];
    return execIn(await this.#planExec(asked), this.id, asked, given);
  }

  /**
   * The same, with this process in the command's place: see {@link becomeContainer}. Returns only where that is not possible.
   *
   * @throws as {@link exec}
   */
  async becomeExec(spec: ExecSpec, front: FrontOptions): Promise<void> {
    if (!canBecomeFront()) return;
    const asked = read('becomeExec(spec)', spec, EXEC_SPEC);
    becomeExec(await this.#planExec(asked), this.id, asked.args, front);
  }

  async #planExec(spec: ExecSpec): Promise<ExecPlan> {
    const { status, pid } = await this.state();
    this.#mustRun(status);
    if (status === 'paused') throw this.#paused();
    if (pid === undefined) throw this.#notRunning();
    await this.#tell('exec');
    return planExec(this.config, pid, this.upper, spec);
  }

  /**
   * Ask it to end, and kill it when it has not after `timeout` seconds (-1: never). One that does not run is fine.
   *
   * @returns how it ended; undefined when it did not run
   */
  async stop(options: StopOptions = {}): Promise<Ending | undefined> {
    const { signal, timeout } = read('stop(options)', options, STOP_OPTIONS);
    const { status, monitor } = await this.state();
    // With a monitor it is about to begin, or to end.
    if (!isAlive(status) && monitor === undefined) return undefined;
    const { spec, lowers } = this.config;
    const signo = signalNumber(signal ?? spec.stopSignal ?? lowers.config.stopSignal ?? 'SIGTERM');
    const seconds = timeout ?? spec.stopTimeout ?? 10;
    const ending = this.#end();
    await this.#order({ op: 'stop', signo }, signo);
    // A frozen process hears nothing but, with version 2, SIGKILL; then it is over already.
    if (status === 'paused') await this.unpause().catch(overAlready);
    await this.#tell('stop');
    if (seconds < 0) return ending;
    const { SIGKILL } = constants.signals;
    const failed = Promise.withResolvers<never>();
    let timer: NodeJS.Timeout | undefined;
    // Again, should the first not be heard: who waits for this is not to wait for ever.
    const kill = (): void => {
      timer = setTimeout(kill, AGAIN);
      this.#order({ op: 'stop', signo: SIGKILL }, SIGKILL).catch(failed.reject);
    };
    timer = setTimeout(kill, seconds * 1000);
    try {
      return await Promise.race([ending, failed.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * Send a signal to its init. One that kills it for certain also keeps it from being started again, and it is over then. A paused container
   * goes on, for else it would not hear.
   *
   * @throws EngineError `CONTAINER_NOT_RUNNING`, `SIGNAL_UNKNOWN`, `KILL_TIMEOUT`
   */
  async kill(signal: string = 'SIGKILL'): Promise<void> {
    read('kill(signal)', signal, take.text);
    const { status } = await this.state();
    const signo = signalNumber(signal);
    this.#mustRun(status);
    const kills = signo === constants.signals.SIGKILL;
    const aborted = kills ? AbortSignal.timeout(DEATH) : undefined;
    const ending = aborted && this.#end(aborted);
    await this.#order({ op: kills ? 'stop' : 'signal', signo }, signo);
    if (status === 'paused') await this.unpause().catch(overAlready);
    await this.#tell('kill');
    try {
      await ending;
    } catch (error) {
      if (error !== aborted?.reason) throw error;
      throw new EngineError({
        code: 'KILL_TIMEOUT',
        message: `the container ${this.#called} has not ended ten seconds after it was killed`,
        hint: 'A process of it is in a system call that cannot be interrupted: lamella top lists them.',
      });
    }
  }

  /** @throws EngineError `CONTAINER_NOT_RUNNING`, `CONTAINER_PAUSED`; CgroupError `FREEZER_MISSING` */
  async pause(): Promise<void> {
    const { status, pid } = await this.state();
    this.#mustRun(status);
    if (status === 'paused') throw this.#paused('there is nothing more to pause');
    await this.#freeze(pid, true);
    await this.#tell('pause');
  }

  /** @throws EngineError `CONTAINER_NOT_PAUSED` */
  async unpause(): Promise<void> {
    const { status, pid } = await this.state();
    if (status !== 'paused')
      throw new EngineError({ code: 'CONTAINER_NOT_PAUSED', message: `the container ${this.id} is not paused`, hint: 'lamella ps says what it does.' });
    await this.#freeze(pid, false);
    await this.#tell('unpause');
  }

  async #freeze(pid: number | undefined, frozen: boolean): Promise<void> {
    if (pid === undefined) throw this.#notRunning();
    const processes = async (): Promise<number[]> => (await processesOf(pid)).map((each) => each.pid);
    await setFrozen({ pid, name: cgroupName(this.id, this.#root), processes }, frozen);
  }

  /**
   * Wait for its end, the next one when it is started again.
   *
   * @returns how it ended; undefined when nobody saw: its monitor was killed, or it was removed before
   */
  async wait(options: { readonly signal?: AbortSignal } = {}): Promise<Ending | undefined> {
    const { signal } = read('wait(options)', options, WAIT_OPTIONS);
    const { status, exitCode, signal: killedBy, monitor } = await this.state();
    if (monitor === undefined && !isAlive(status)) return exitCode === undefined ? undefined : { status: exitCode, signal: killedBy };
    const ended = Promise.withResolvers<Ending>();
    using connection = await connectMonitor(directoryOf(this.#record), (reply) => {
      if (reply.kind === 'exited') ended.resolve({ status: reply.status, signal: reply.signal || undefined });
    });
    if (connection) {
      const aborted = Promise.withResolvers<never>();
      const abort = (): void => aborted.reject(signal?.reason);
      signal?.addEventListener('abort', abort, { once: true });
      try {
        signal?.throwIfAborted();
        // Its end is known when all that it used is released, and its monitor gone.
        const ending = await Promise.race([ended.promise, connection.closed, aborted.promise]);
        await Promise.race([connection.closed, aborted.promise]);
        await this.#letGo(monitor);
        if (ending) return ending;
      } finally {
        signal?.removeEventListener('abort', abort);
      }
    } else {
      // Nobody tells: the lock says when it is over.
      const lock = await lockFile(lockOf(this.#record), { create: false, ...(signal ? { signal } : {}) }).catch(absent);
      await lock?.[Symbol.asyncDispose]();
    }
    const after = await stateOf(this.#record, undefined);
    return after?.exitCode === undefined ? undefined : { status: after.exitCode, signal: after.signal };
  }

  /** Its end, for who is about to bring that about: one that goes with it may be gone before it is looked for. */
  #end(signal?: AbortSignal): Promise<Ending | undefined> {
    const ending = this.wait(signal ? { signal } : {}).catch((error: unknown) => {
      if ((error as { code?: string }).code === 'CONTAINER_NOT_FOUND') return undefined;
      throw error;
    });
    // What it is brought about by may fail before it is awaited.
    ending.catch(() => undefined);
    return ending;
  }

  /** The kernel closes what a dead process had open in an order of its own: its lock may go a moment after its socket. */
  async #letGo(monitor: number | undefined): Promise<void> {
    while (monitor !== undefined && monitorOf(this.#record, await heldLocks()) === monitor) await new Promise((resolve) => setTimeout(resolve, 1));
  }

  /** Stops it, if it runs, and starts it. One that could not be started again is not stopped. @throws as {@link stop} and {@link start} */
  async restart(given: AcceptOptions & StopOptions = {}): Promise<void> {
    const { acceptSources = [], ...options } = read('restart(options)', given, RESTART_OPTIONS);
    await this.#refresh();
    const { workspace } = this.config.spec;
    if (workspace !== undefined) throw this.#ofWorkspace(workspace);
    checkAgain(this.config, this.#root, acceptSources);
    await this.stop(options);
    await this.start({ acceptSources });
  }

  /** @throws EngineError `NAME_INVALID`, `CONTAINER_EXISTS` */
  async rename(name: string): Promise<void> {
    read('rename(name)', name, take.text);
    checkName(name);
    const { containers } = this.#record;
    const { name: before } = await this.state();
    if (name === before) throw new EngineError({ code: 'CONTAINER_EXISTS', message: `the container is called '${name}' already`, hint: 'Take another name.' });
    await takeName(containers, name, this.id);
    if (before !== undefined) {
      await removeGiven(containers, before, this.id);
      await unlink(nameLinkOf(containers, before)).catch(absent);
    }
    this.#config = withName(this.#config, name);
    await this.#tell('rename', name);
  }

  /**
   * Remove it and all it changed. One that runs is refused, or killed with `force`.
   *
   * @throws EngineError `CONTAINER_RUNNING`; CleanupError `CLEANUP_INCOMPLETE`
   */
  async remove(options: { readonly force?: boolean } = {}): Promise<void> {
    const { force = false } = read('remove(options)', options, REMOVE_OPTIONS);
    const { status, name, monitor } = await this.state();
    // Made, and with a monitor: it is about to begin, or its end is not written down yet.
    if (isAlive(status) || (status === 'created' && monitor !== undefined)) {
      if (!force)
        throw new EngineError({
          code: 'CONTAINER_RUNNING',
          message: `the container ${name ?? this.id} is ${status === 'paused' ? 'paused' : 'running'}`,
          hint: `Stop it first, or: lamella rm -f ${name ?? this.id}`,
        });
      await this.stop({ signal: 'SIGKILL', timeout: 2 });
    } else {
      // Of one that has ended the monitor may have a last word to write.
      await this.#letGo(monitor);
    }
    let outcome = await releaseDead(this.#record);
    // Somebody else is at the gate, who makes or removes another: a moment later nobody is.
    for (let tries = 0; outcome === 'alive' && tries < 100 && !isAlive((await this.state()).status); tries++) {
      await sleep(10);
      outcome = await releaseDead(this.#record);
    }
    if (outcome === 'alive')
      throw new EngineError({
        code: 'CONTAINER_RUNNING',
        message: `the container ${name ?? this.id} has just been started`,
        hint: `lamella rm -f ${name ?? this.id}`,
      });
    if (outcome !== 'released') throw outcome;
    await forgetDeadNames(this.#record.containers);
    await collectStates(this.#root);
    await this.#tell('destroy', name);
  }

  /** Its processes. @throws EngineError `CONTAINER_NOT_RUNNING` */
  async top(): Promise<readonly ProcessDetails[]> {
    const { status, pid } = await this.state();
    this.#mustRun(status);
    const processes = pid === undefined ? [] : await processesOf(pid);
    return (await Promise.all(processes.map(detailsOf))).filter((each) => each !== undefined);
  }

  /** What it has used up. @throws EngineError `CONTAINER_NOT_RUNNING` */
  async usage(): Promise<ContainerUsage> {
    const { pid } = await this.state();
    if (pid === undefined) throw this.#notRunning();
    return usageOf(pid);
  }

  /**
   * The tar of a path inside, whether it runs or not, with what is mounted below it; of filesystems that the kernel makes up, and of /dev, only the
   * directory is in it.
   *
   * @param source absolute path inside; a link at its end is taken as such, unless a slash follows it
   * @param name what it is called in the archive, `.` for the content of a directory. Default: its own
   * @throws (by the stream) EngineError `PATH_NOT_FOUND`, `COPY_FAILED`; ImageError `FILE_CHANGED`
   */
  async copyOut(source: string, name?: string): Promise<Readable> {
    read('copyOut(source)', source, take.text);
    const called = name === undefined ? path.posix.basename(source) || '.' : read('copyOut(source, name)', name, take.text);
    const { copyOut } = await import('../lifecycle/copy.js');
    return copyOut(await this.#files(), source, called);
  }

  /**
   * Unpack a tar into a directory inside, whether it runs or not. What it sees there is written to: a volume's source, never what is hidden below a mount.
   *
   * @throws EngineError `PATH_NOT_FOUND`, `PATH_READ_ONLY`; ImageError `TAR_*`, `COPY_*`; what came before the failure is there
   */
  async copyIn(archive: Readable, directory: string, options: { readonly keepOwners?: boolean } = {}): Promise<void> {
    const { keepOwners = false } = read('copyIn(archive, directory, options)', options, COPY_IN_OPTIONS);
    read('copyIn(archive)', archive, take.instanceOf(Readable, 'a Readable'));
    read('copyIn(archive, directory)', directory, take.text);
    const { copyIn } = await import('../lifecycle/copy.js');
    await copyIn(await this.#files(), archive, directory, { keepOwners });
  }

  /**
   * Looks at a path inside, whether it runs or not. A link at its end is not followed, unless a slash follows it.
   *
   * @returns undefined when nothing is there
   */
  async stat(pathname: string): Promise<PathState | undefined> {
    read('stat(path)', pathname, take.text);
    const { statPath } = await import('../lifecycle/copy.js');
    return statPath(await this.#files(), path.posix.resolve('/', pathname) + (/\/\.?$/.test(pathname) ? '/' : ''));
  }

  /**
   * Follows the links at the end of a path inside.
   *
   * @returns the path that they lead to, and what is there; undefined where nothing is
   * @throws EngineError `PATH_NOT_FOUND` for links in a circle
   */
  async follow(pathname: string): Promise<{ readonly pathname: string; readonly state: PathState | undefined }> {
    read('follow(path)', pathname, take.text);
    const { followPath } = await import('../lifecycle/copy.js');
    return followPath(await this.#files(), path.posix.resolve('/', pathname) + (/\/\.?$/.test(pathname) ? '/' : ''));
  }

  /** Whether a path inside is a directory, links followed; undefined when it is not there. */
  async isDirectory(pathname: string): Promise<boolean | undefined> {
    read('isDirectory(path)', pathname, take.text);
    const { state } = await this.follow(pathname);
    return state && state.type === 'directory';
  }

  /**
   * Run another command in what it has become, in the foreground: with its spec, but for what is given here.
   *
   * @throws EngineError `CONTAINER_RUNNING`; as {@link createContainer}
   */
  async run<const O extends RunOptions = Record<never, never>>(asked: AgainSpec, options: O = {} as O): Promise<Container<StreamingOf<O>>> {
    const { acceptSources = [], ...spec } = read('run(spec)', asked, AGAIN_SPEC);
    const given = readRunOptions('run(spec, options)', options);
    await this.#refresh();
    const { workspace, ...own } = this.config.spec;
    if (workspace !== undefined) throw this.#ofWorkspace(workspace);
    await prepare(this.#root);
    const env = definedIn({ ...own.env, ...spec.env });
    return begin(withInit({ ...own, restart: { policy: 'no' }, ...spec, env, entrypoint: [], keep: true }), given, this.#root, {
      again: this.config,
      accept: acceptSources,
    });
  }

  /**
   * Freeze what it has written: it can come back to that, and forks begin there. Renames, whatever the size; a copy of what
   * was written, where it sees the host, or a directory that the store is in.
   *
   * One that runs goes on above it, unless something holds on to what it stands on.
   *
   * @throws EngineError `CHECKPOINT_BUSY`, `CHECKPOINT_TOO_DEEP`, `NO_SPACE`
   */
  async checkpoint(message?: string): Promise<Checkpoint> {
    read('checkpoint(message)', message, take.maybe(take.text));
    return this.#branching('frozen', (held) => checkpoint(held, message));
  }

  /** Its checkpoints, the oldest first, and which of them it stands on now. */
  async history(): Promise<{ readonly checkpoints: readonly Checkpoint[]; readonly current: string | undefined }> {
    await this.#refresh();
    const directory = directoryOf(this.#record);
    const [checkpoints, frozen] = await Promise.all([readHistory(this.#root, directory), settled(this.#root, this.config)]);
    return { checkpoints, current: currentState(this.#record, frozen) };
  }

  /**
   * Let it go on from a checkpoint, without what it wrote since.
   *
   * @param to a checkpoint's id, or the beginning of one; `null` for before the first. Default: the last one
   * @throws EngineError `CHECKPOINT_BUSY`, `CHECKPOINT_NOT_FOUND`
   */
  async rollback(to?: string | null): Promise<Checkpoint | undefined> {
    if (to !== null) read('rollback(to)', to, take.maybe(take.text));
    const { target, trash } = await this.#branching('taken back', async (held) => {
      if (held.copies && isAlive((await this.state()).status)) throw this.#notWhileRunning();
      const wanted = to === undefined ? currentState(held.record, held.frozen) : to;
      const target = typeof wanted === 'string' ? await this.#checkpoint(wanted) : undefined;
      return { target, trash: await rollback(held, target?.id) };
    });
    removeLater(trash);
    return target;
  }

  /** Its layers are not stacked, and what its processes have below them cannot be exchanged. */
  #notWhileRunning(): EngineError {
    const name = this.config.spec.name ?? this.id;
    return new EngineError({
      code: 'CHECKPOINT_BUSY',
      message: `the container ${name} is running, and its view of the host cannot be taken back below its processes`,
      hint: `Stop it first: lamella stop ${name}`,
    });
  }

  /** One of its checkpoints, by the beginning of its id. @throws EngineError `CHECKPOINT_NOT_FOUND` */
  async #checkpoint(reference: string): Promise<Checkpoint> {
    const found = (await readHistory(this.#root, directoryOf(this.#record))).filter(({ id }) => reference && id.startsWith(reference));
    const [only] = found;
    if (only && found.length === 1) return only;
    throw new EngineError({
      code: 'CHECKPOINT_NOT_FOUND',
      message: only ? `'${reference}' is the beginning of ${found.length} checkpoints` : `the container ${this.id} has no checkpoint '${reference}'`,
      hint: `lamella history ${this.id} lists those it has.`,
    });
  }

  /**
   * Make containers that go on from where it is, each by itself. What it has written is frozen for that, and
   * nothing is copied; but see {@link checkpoint}.
   *
   * @param names how many, or what to call each
   * @throws EngineError `CHECKPOINT_BUSY`, `CONTAINER_EXISTS`, `NAME_INVALID`
   */
  async fork(names: number | readonly string[] = 1): Promise<readonly StoredContainer[]> {
    const asked = read('fork(names)', names, FORKS);
    const wanted = typeof asked === 'number' ? Array.from({ length: asked }, () => generateName(this.#record.containers)) : asked;
    for (const name of wanted) checkName(name);
    await forgetDeadNames(this.#record.containers);
    for (const name of wanted) checkNotGiven(this.#record.containers, name);
    const configs = await this.#branching('forked', (held) => fork(held, wanted));
    for (const { id, image, spec } of configs) await tellEvent(this.#record.containers, 'create', { id, name: spec.name, image });
    return configs.map((config) => new StoredContainer(this.#root, config));
  }

  async #branching<Result>(what: string, work: (held: Branching) => Promise<Result>): Promise<Result> {
    await this.#refresh();
    const { workspace } = this.config.spec;
    if (workspace !== undefined) throw this.#ofWorkspace(workspace);
    const { status, pid } = await this.state();
    let result: Result;
    if (pid === undefined || !isAlive(status)) {
      await this.#mustRest(what);
      result = await branching(this.#root, this.config, work);
    } else {
      const { branchingLive } = await import('../checkpoints/checkpoint-paused.js');
      result = await branchingLive(this.#root, this.config, pid, () => this.#hold(pid, status === 'paused'), work);
    }
    this.#squashLater();
    return result;
  }

  /**
   * Put one state in the place of all but the latest of what it stands on, so that fewer layers are looked through; nobody can tell. The
   * checkpoints stay. It is done by itself, in the background, when they have become many.
   *
   * @throws EngineError `SQUASH_IMPOSSIBLE`; SyscallError, when the disk is full
   */
  async squash(): Promise<void> {
    const { squash } = await import('../checkpoints/squash.js');
    await squash(this.#root, readFrozen(this.#root, directoryOf(this.#record)), isByFuse(this.config.ids, this.#root));
  }

  /** Nobody waits for it, and what fails is tried again with the next checkpoint, until one is refused for their number. */
  #squashLater(): void {
    const { id } = this;
    if (squashing.has(id) || readFrozen(this.#root, directoryOf(this.#record)).length <= LONG) return;
    squashing.add(id);
    setImmediate(() => {
      void this.squash()
        .catch(() => undefined)
        .finally(() => squashing.delete(id));
    });
  }

  /** Stop its processes for the while; those that somebody has paused stay so. */
  async #hold(pid: number, paused: boolean): Promise<AsyncDisposable> {
    if (paused) return { [Symbol.asyncDispose]: async () => undefined };
    try {
      await this.#freeze(pid, true);
    } catch (error) {
      if ((error as { code?: string }).code === 'FREEZER_MISSING') {
        const { holdBySignals } = await import('../checkpoints/checkpoint-paused.js');
        return holdBySignals(pid);
      }
      throw error;
    }
    return { [Symbol.asyncDispose]: () => this.#freeze(pid, false) };
  }

  #ofWorkspace(workspace: string): EngineError {
    return new EngineError({
      code: 'NOT_DETACHABLE',
      message: 'a container of a workspace cannot be started again',
      hint: `Run it anew: lamella run --workspace ${shellWord(workspace)} …`,
    });
  }

  /**
   * The parts of what it sees that it can write to: its root, and the volumes that are overlays.
   *
   * @throws EngineError `VOLUME_MOVED` when a volume is not what it was
   */
  async views(): Promise<readonly [CheckedView, ...CheckedView[]]> {
    const views = await this.#views();
    return checkedViews(views, this.#sources(views));
  }

  /** The same, of which the sources may be others by now. */
  async #views(): Promise<readonly [View, ...View[]]> {
    await recover(this.#root);
    await this.#refresh();
    await settled(this.#root, this.config);
    return standing(this.#root, this.#record, this.config).views;
  }

  /** What it was given of the host, if it is that still. @throws EngineError `VOLUME_MOVED` */
  #sources(views: readonly View[]): CheckedSources {
    const { spec } = this.config;
    return checkSources(completeSources(directoryOf(this.#record), this.config), spec, spec.name ?? this.id, untouchedOf(views, spec));
  }

  /**
   * What it changed since it began, before checkpoints, too, as of now; see {@link changesOf} of @lamella/overlay.
   *
   * @throws EngineError `CONTAINER_NOT_FOUND`, `VOLUME_MOVED`
   */
  async *changes(): AsyncGenerator<ContainerChange> {
    await this.state();
    const views = await this.#views();
    const { volumes = [], tmpfs = [] } = this.config.spec;
    const sources = this.#sources(views);
    try {
      yield* changesIn(
        checkedViews(views, sources),
        [...volumes, ...tmpfs].map((each) => each.destination),
      );
    } catch (error) {
      throw explainMoved(error, sources) ?? error;
    }
  }

  /**
   * What files among some changes had in them, and have, in the same order.
   *
   * @param limit bytes: of a larger file there is nothing
   */
  async contents(changes: readonly ContainerChange[], options: { readonly limit?: number } = {}): Promise<readonly Contents[]> {
    const { limit = 1 << 20 } = read('contents(changes, options)', options, CONTENTS_OPTIONS);
    try {
      return await contentsOf(changes, limit);
    } catch (error) {
      const given = changes.flatMap(({ view }) => (view.given ? [[view.given.path, view.given] as const] : []));
      throw explainMoved(error, { container: this.config.spec.name ?? this.id, now: new Map(given) }) ?? error;
    }
  }

  /**
   * Make an image of it: its own, with what it changed as one layer more (with checkpoints, as one for each). Volumes are
   * left out. One that runs is frozen meanwhile.
   *
   * @param name `NAME[:TAG]`; an image of that name is replaced
   * @throws EngineError `COMMIT_NO_IMAGE`; ImageError `REFERENCE_INVALID`, `CHANGE_INVALID`
   */
  async commit(name: string, given: CommitOptions & { readonly pause?: boolean } = {}): Promise<CommittedImage> {
    const { pause = true, ...options } = read('commit(name, options)', given, COMMIT_OPTIONS);
    read('commit(name)', name, take.text);
    const { digest } = this.config.lowers;
    if (digest === undefined)
      throw new EngineError({
        code: 'COMMIT_NO_IMAGE',
        message: `the container ${this.id} has no image of the store below it`,
        hint: 'What it changed can be copied out (lamella cp, lamella export) and imported.',
      });
    const [top] = await this.#views();
    const { status } = await this.state();
    const freezes = pause && status === 'running';
    if (freezes) await this.pause();
    try {
      const layers = [...top.frozen.toReversed(), top.upperdir].map((upper) => () => layerOf(upper, top.files, options.timestamp ?? sourceDateEpoch()));
      return await new ImageStore(this.#root).commit(digest, layers, name, { createdBy: this.config.args.join(' '), ...options });
    } finally {
      if (freezes) await this.unpause();
    }
  }

  /** The tar of all it sees but what is mounted there: a root filesystem, as `lamella import` takes one. */
  async export(): Promise<Readable> {
    const { copyOut } = await import('../lifecycle/copy.js');
    const files = await this.#files();
    return copyOut(files.kind === 'stopped' ? { ...files, mounts: [] } : files, '/', '.', { mounts: false });
  }

  /**
   * Do to directories of the host what it did in its view of them (volumes that are overlays): all, or nothing.
   *
   * @throws EngineError `CONTAINER_RUNNING`, `APPLY_NO_TARGET`, `APPLY_CONFLICT`, `APPLY_FAILED`, `APPLY_BUSY`
   */
  async apply(given: ApplyOptions = {}): Promise<Applied> {
    const options = read('apply(options)', given, APPLY_OPTIONS);
    await this.#mustRest('applied');
    await this.#refresh();
    // Nobody starts it meanwhile.
    return branching(this.#root, this.config, async ({ views: all }) => {
      const sources = this.#sources(all);
      const views = checkedViews(all, sources).filter((view) => view.source !== undefined || view.gone !== undefined);
      if (!views.length)
        throw new EngineError({
          code: 'APPLY_NO_TARGET',
          message: `the container ${this.id} changed nothing but its image`,
          hint: 'Give it directories of the host as -v DIR:/inside:overlay; lamella commit makes an image of what it changed.',
        });
      // What is needed for running a container is loaded with it, and the rest when it is asked for.
      const [{ apply }, { readSeenPlaces }] = await Promise.all([
        import('../changes/apply/apply.js'),
        import('../changes/apply/conflicts/seen-directories.js'),
      ]);
      const applier = { root: this.#root, id: this.id, since: began(this.config, this.#record), seen: await readSeenPlaces(this.#record) };
      return apply(applier, notGone(changesIn(views, []), options.select, sources), options).catch((error: unknown) => {
        throw explainMoved(error, sources) ?? error;
      });
    });
  }

  /** @throws EngineError `CONTAINER_RUNNING` */
  async #mustRest(what: string): Promise<void> {
    const { status, name } = await this.state();
    if (isAlive(status))
      throw new EngineError({
        code: 'CONTAINER_RUNNING',
        message: `the container ${name ?? this.id} is running: what it is about to write cannot be ${what}`,
        hint: `Stop it first: lamella stop ${name ?? this.id}`,
      });
  }

  async #files(): Promise<ContainerFiles> {
    const { pid } = await this.state();
    await this.#refresh();
    const { spec, ids } = this.config;
    const common = { spec, shifted: ids !== undefined };
    if (pid !== undefined) return { kind: 'running', pid, ...common };
    const { stack, mounts, slots, others } = await decide(spec, {}, this.#root, { again: this.config, idle: true, still: true });
    return { kind: 'stopped', record: this.#record, stack, mounts, slots, others, ...common };
  }

  /** By its monitor's socket; where there is none, to its process. */
  async #order(op: Parameters<MonitorConnection['order']>[0], signo: number): Promise<void> {
    using connection = await connectMonitor(directoryOf(this.#record), () => undefined);
    if (connection) return connection.order(op);
    const pid = (await stateOf(this.#record, undefined))?.pid;
    try {
      if (pid !== undefined) process.kill(pid, signo);
    } catch (error) {
      // It ended in this moment, as it was to.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }

  async #tell(event: string, name?: string): Promise<void> {
    const known = name ?? (await namesById(this.#record.containers)).get(this.id);
    await tellEvent(this.#record.containers, event, { id: this.id, name: known, image: this.config.image });
  }

  #mustRun(status: ContainerState['status']): void {
    if (status !== 'running' && status !== 'paused') throw this.#notRunning();
  }

  /** What people call it, as far as this object knows. */
  get #called(): string {
    return this.config.spec.name ?? this.id;
  }

  #notRunning(): EngineError {
    return new EngineError({ code: 'CONTAINER_NOT_RUNNING', message: `the container ${this.#called} is not running`, hint: `lamella start ${this.#called}` });
  }

  #paused(why?: string): EngineError {
    const message = `the container ${this.#called} is paused${why === undefined ? '' : `: ${why}`}`;
    return new EngineError({ code: 'CONTAINER_PAUSED', message, hint: `lamella unpause ${this.#called}` });
  }

  #unreachable(): EngineError {
    return new EngineError({
      code: 'NOT_ATTACHABLE',
      message: `nobody listens for the container ${this.id}`,
      hint: 'Its store is on a filesystem without sockets, or it has just ended.',
    });
  }
}

/**
 * Leaves out changes in directories that are gone.
 *
 * @throws EngineError `VOLUME_MOVED` if some of them are selected
 */
async function* notGone(changes: AsyncIterable<ContainerChange>, select: ApplyOptions['select'], sources: CheckedSources): AsyncGenerator<ContainerChange> {
  const refused = new Map<string, string[]>();
  for await (const change of changes) {
    const { gone } = change.view;
    if (gone === undefined) yield change;
    else if (!select || select(change)) refused.set(gone, [...(refused.get(gone) ?? []), change.path]);
  }
  for (const [gone, paths] of refused) throw goneDirectory(gone, paths, sources);
}

function overAlready(error: { code?: string }): void {
  if (!['CONTAINER_NOT_PAUSED', 'FREEZER_MISSING', 'CONTAINER_NOT_FOUND'].includes(error.code ?? '')) throw error;
}

const AGAIN = 2000;
/** How long one that is killed may take to be gone, in milliseconds: as long as Docker waits. */
const DEATH = 10_000;

/** Whether there is somebody to be stopped. */
function isAlive(status: ContainerState['status']): boolean {
  return status === 'running' || status === 'paused' || status === 'restarting';
}

export function notFound(reference: string): EngineError {
  return new EngineError({ code: 'CONTAINER_NOT_FOUND', message: `there is no container '${reference}'`, hint: 'lamella ps -a lists those that are.' });
}
