import path from 'node:path';
import { Readable } from 'node:stream';
import type { CommitOptions, CommittedImage } from '@lamella/image';
import type { ContainerProcess, ProcessEnd, StreamingOf } from '@lamella/namespace';
import { canBecomeFront, take } from '@lamella/syscall';
import type { Applied, ApplyOptions } from '../changes/apply/apply.js';
import { type ContainerChange, changesIn } from '../changes/changes.js';
import { type Contents, contentsOf } from '../changes/contents.js';
import { checkpoint } from '../checkpoints/checkpoint.js';
import { forkContainer, type History, historyOfContainer, rollbackContainer } from '../checkpoints/container-checkpoints.js';
import { checkSourcesOf, currentMounts } from '../checkpoints/current-mounts.js';
import { squashContainer, withContainerHeld } from '../checkpoints/hold-container.js';
import { type Checkpoint, collectStates } from '../checkpoints/states.js';
import { explainMoved } from '../filesystem/sources/check-sources.js';
import { checkedMounts } from '../filesystem/writable-mounts.js';
import { type Attached, attachToContainer } from '../lifecycle/attach.js';
import { ContainerHandle } from '../lifecycle/container-handle.js';
import { type ExecOptions, type ExecSpec, execIn, planExecIn, runningIn } from '../lifecycle/exec.js';
import type { PathState } from '../lifecycle/files/copy.js';
import { hasLog, type LogEntry, type LogOptions, readContainerLogs } from '../lifecycle/logs.js';
import { pauseContainer, unpauseContainer } from '../lifecycle/pause.js';
import type { ProcessDetails } from '../lifecycle/processes.js';
import { removeContainer } from '../lifecycle/remove.js';
import { renameContainer } from '../lifecycle/rename.js';
import type { ContainerState } from '../lifecycle/state.js';
import { killContainer, type StopOptions, stopContainer } from '../lifecycle/stop.js';
import { type ContainerUsage, listProcesses, usageOfContainer } from '../lifecycle/usage.js';
import { waitForEnd } from '../lifecycle/wait.js';
import type { AcceptOptions } from '../model/accept-options.js';
import type { ContainerConfig } from '../model/container-config.js';
import type { RerunSpec } from '../model/rerun-spec.js';
import type { RunOptions } from '../model/run-options.js';
import type { CheckedMount } from '../model/writable-mount.js';
import { read, readRunOptions } from '../options/option-shapes.js';
import { filesOf } from '../run/files-of-container.js';
import { rerunContainer, restartContainer, startContainer } from '../run/restart.js';
import type { Container } from '../run/start.js';
import { applyContainer } from './apply-container.js';
import { commitContainer } from './commit-container.js';
import * as shape from './container-option-shapes.js';
import { becomeExec, type ExecFrontOptions } from './front.js';

/** A container of a store, running or not. Every question is answered by the kernel and the store as of now. */
export class StoredContainer {
  readonly id: string;
  /** Absolute path, on the host, of the upper directory of its root: what it changed there. */
  readonly upper: string;
  readonly #container: ContainerHandle;

  /** For {@link Containers}, which finds and creates containers. */
  constructor(root: string, config: ContainerConfig) {
    this.#container = new ContainerHandle(root, config);
    this.id = config.id;
    this.upper = path.join(config.spec.workspace ?? this.#container.directory, 'upper');
  }

  /** The config of the container, as this object read it last. A view of the host has other directories after each run; see {@link RunSpec.host}. */
  get config(): ContainerConfig {
    return this.#container.config;
  }

  /** Returns what the container is doing now. @throws EngineError `CONTAINER_NOT_FOUND` when it was removed */
  async state(): Promise<ContainerState> {
    return this.#container.state();
  }

  /**
   * Starts the container detached, with its config and the files it had. Resolves when its command has been executed.
   *
   * @param options `attach`: attach to it before its first output. Default: false
   * @throws EngineError `CONTAINER_RUNNING`, `CONTAINER_PAUSED`, `CONTAINER_NOT_FOUND`, `IMAGE_GONE`, `VOLUME_MOVED`, `VOLUME_INVALID` (a
   * source that cannot be accepted); NamespaceError `COMMAND_NOT_FOUND`, …
   */
  async start(options?: AcceptOptions & { readonly attach?: false }): Promise<undefined>;
  async start(options: AcceptOptions & { readonly attach: true }): Promise<Attached>;
  async start(options: AcceptOptions & { readonly attach?: boolean } = {}): Promise<Attached | undefined> {
    const { attach = false, acceptSources = [] } = read('start(options)', options, shape.START_OPTIONS);
    return startContainer(this.#container, { attach, acceptSources });
  }

  /**
   * Attaches to the stdin, stdout and stderr of the running container. Up to sixteen can be attached at once.
   *
   * @throws EngineError `CONTAINER_NOT_RUNNING`, `CONTAINER_PAUSED`, `NOT_ATTACHABLE`
   */
  async attach(): Promise<Attached> {
    return attachToContainer(this.#container);
  }

  /** Whether the container's output is logged: that of a detached container is. */
  get hasLog(): boolean {
    return hasLog(this.#container.directory);
  }

  /** Yields the log of the container, line by line. Nothing is logged of a container that runs in the foreground. */
  async *logs(options: LogOptions = {}): AsyncGenerator<LogEntry> {
    yield* readContainerLogs(this.#container.directory, read('logs(options)', options, shape.LOG_OPTIONS));
  }

  /**
   * Runs another command in the running container.
   *
   * @throws EngineError `CONTAINER_NOT_RUNNING`, `CONTAINER_PAUSED`, `NO_COMMAND`; NamespaceError `USER_NOT_FOUND`
   */
  async exec<const O extends ExecOptions = Record<never, never>>(spec: ExecSpec, options: O = {} as O): Promise<ContainerProcess<StreamingOf<O>>> {
    const asked = read('exec(spec)', spec, shape.EXEC_SPEC);
    const given = read('exec(spec, options)', options, shape.EXEC_OPTIONS as unknown as take.Check<O>);
    const running = await runningIn(this.#container);
    return execIn(await planExecIn(this.#container, running, this.upper, asked, new Date()), this.id, asked, given);
  }

  /**
   * Runs another command in the running container in place of this process: see {@link becomeContainer}. Returns only where that is not possible.
   *
   * @throws as {@link exec}
   */
  async becomeExec(spec: ExecSpec, front: ExecFrontOptions): Promise<void> {
    if (!canBecomeFront()) return;
    const asked = read('becomeExec(spec)', spec, shape.EXEC_SPEC);
    const { id, record } = this.#container;
    const running = await runningIn(this.#container);
    await becomeExec({ id, containers: record.containers }, asked, (each, now) => planExecIn(this.#container, running, this.upper, each, now), front);
  }

  /**
   * Asks the container to end, and kills it after `timeout` seconds. A container that is not running is left alone.
   *
   * @returns how it ended; undefined if it was not running
   */
  async stop(options: StopOptions = {}): Promise<ProcessEnd | undefined> {
    return stopContainer(this.#container, read('stop(options)', options, shape.STOP_OPTIONS));
  }

  /**
   * Sends a signal to the container's init. SIGKILL also prevents a restart, and resolves when the container has ended. A paused container is
   * unpaused.
   *
   * @param signal name or number. Default: SIGKILL
   * @throws EngineError `CONTAINER_NOT_RUNNING`, `SIGNAL_UNKNOWN`, `KILL_TIMEOUT`
   */
  async kill(signal: string = 'SIGKILL'): Promise<void> {
    await killContainer(this.#container, read('kill(signal)', signal, take.text));
  }

  /** Freezes all processes of the container. @throws EngineError `CONTAINER_NOT_RUNNING`, `CONTAINER_PAUSED`; CgroupError `FREEZER_MISSING` */
  async pause(): Promise<void> {
    await pauseContainer(this.#container);
  }

  /** @throws EngineError `CONTAINER_NOT_PAUSED` */
  async unpause(): Promise<void> {
    await unpauseContainer(this.#container);
  }

  /**
   * Waits until the container ends; the next time, if it is restarted.
   *
   * @returns how it ended; undefined where that is unknown: its monitor was killed, or it was removed
   */
  async wait(options: { readonly signal?: AbortSignal } = {}): Promise<ProcessEnd | undefined> {
    return waitForEnd(this.#container, read('wait(options)', options, shape.WAIT_OPTIONS).signal);
  }

  /** Stops the container, if it runs, and starts it. A container that could not be started again is not stopped. @throws as {@link stop} and {@link start} */
  async restart(given: AcceptOptions & StopOptions = {}): Promise<void> {
    const { acceptSources = [], ...options } = read('restart(options)', given, shape.RESTART_OPTIONS);
    await restartContainer(this.#container, options, acceptSources);
  }

  /** @throws EngineError `NAME_INVALID`, `CONTAINER_EXISTS` */
  async rename(name: string): Promise<void> {
    await renameContainer(this.#container, read('rename(name)', name, take.text));
  }

  /**
   * Removes the container with everything it wrote.
   *
   * @param options `force`: kill it if it is running. Default: false
   * @throws EngineError `CONTAINER_RUNNING`; CleanupError `CLEANUP_INCOMPLETE`
   */
  async remove(options: { readonly force?: boolean } = {}): Promise<void> {
    const { force = false } = read('remove(options)', options, shape.REMOVE_OPTIONS);
    await removeContainer(this.#container, force, () => collectStates(this.#container.root));
  }

  /** Lists the processes of the container. @throws EngineError `CONTAINER_NOT_RUNNING` */
  async top(): Promise<readonly ProcessDetails[]> {
    return listProcesses(this.#container);
  }

  /** Returns what the container uses. @throws EngineError `CONTAINER_NOT_RUNNING` */
  async usage(): Promise<ContainerUsage> {
    return usageOfContainer(this.#container);
  }

  /**
   * Returns the tar of a path in the container, running or not, with what is mounted below it. Of /dev and of the kernel's filesystems it has
   * the directory only.
   *
   * @param source absolute path inside; a symbolic link is copied as such, unless a slash follows it
   * @param name its name in the archive, `.` for the content of a directory. Default: its own
   * @throws (by the stream) EngineError `PATH_NOT_FOUND`, `COPY_FAILED`; ImageError `FILE_CHANGED`
   */
  async copyOut(source: string, name?: string): Promise<Readable> {
    read('copyOut(source)', source, take.text);
    const called = name === undefined ? path.posix.basename(source) || '.' : read('copyOut(source, name)', name, take.text);
    const { copyOut } = await import('../lifecycle/files/copy.js');
    return copyOut(await filesOf(this.#container), source, called);
  }

  /**
   * Unpacks a tar into a directory in the container, running or not. It writes to what the container sees there: to the source of a volume, never
   * to what a mount hides.
   *
   * @param options `keepOwners`: keep the owners in the archive. Default: false, they become the container's root
   * @throws EngineError `PATH_NOT_FOUND`, `PATH_READ_ONLY`; ImageError `TAR_*`, `COPY_*`. What came before the failure stays
   */
  async copyIn(archive: Readable, directory: string, options: { readonly keepOwners?: boolean } = {}): Promise<void> {
    const { keepOwners = false } = read('copyIn(archive, directory, options)', options, shape.COPY_IN_OPTIONS);
    read('copyIn(archive)', archive, take.instanceOf(Readable, 'a Readable'));
    read('copyIn(archive, directory)', directory, take.text);
    const { copyIn } = await import('../lifecycle/files/copy.js');
    await copyIn(await filesOf(this.#container), archive, directory, { keepOwners });
  }

  /**
   * Returns the state of a path in the container, running or not. A symbolic link is not followed, unless a slash follows it.
   *
   * @returns undefined when nothing is there
   */
  async stat(pathname: string): Promise<PathState | undefined> {
    read('stat(path)', pathname, take.text);
    const { statPath } = await import('../lifecycle/files/copy.js');
    return statPath(await filesOf(this.#container), resolvedInside(pathname));
  }

  /**
   * Follows symbolic links at the end of a path in the container.
   *
   * @returns the path that they lead to, and the state of what is there; undefined where nothing is
   * @throws EngineError `PATH_NOT_FOUND` for a loop of links
   */
  async follow(pathname: string): Promise<{ readonly pathname: string; readonly state: PathState | undefined }> {
    read('follow(path)', pathname, take.text);
    const { followPath } = await import('../lifecycle/files/copy.js');
    return followPath(await filesOf(this.#container), resolvedInside(pathname));
  }

  /** Returns whether a path in the container is a directory, after links; undefined when nothing is there. */
  async isDirectory(pathname: string): Promise<boolean | undefined> {
    read('isDirectory(path)', pathname, take.text);
    const { state } = await this.follow(pathname);
    return state && state.type === 'directory';
  }

  /**
   * Runs another command in the files of the container, in the foreground, with the container's spec and what is given here.
   *
   * @throws EngineError `CONTAINER_RUNNING`; as {@link createContainer}
   */
  async run<const O extends RunOptions = Record<never, never>>(asked: RerunSpec, options: O = {} as O): Promise<Container<StreamingOf<O>>> {
    const spec = read('run(spec)', asked, shape.RERUN_SPEC);
    return rerunContainer(this.#container, spec, readRunOptions('run(spec, options)', options));
  }

  /**
   * Makes a checkpoint of the container's files, to roll back to and to fork from. Nothing is copied, except for containers that see the host's
   * files, or a directory that the store is in. A running container is stopped for a moment.
   *
   * @throws EngineError `CHECKPOINT_BUSY`, `CHECKPOINT_TOO_DEEP`, `NO_SPACE`
   */
  async checkpoint(message?: string): Promise<Checkpoint> {
    read('checkpoint(message)', message, take.maybe(take.text));
    return withContainerHeld(this.#container, 'checkpoint', (held) => checkpoint(held, message));
  }

  /** Returns the container's checkpoints, the oldest first, and the id of the one below its present state. */
  async history(): Promise<History> {
    return historyOfContainer(this.#container);
  }

  /**
   * Takes the container's files back to a checkpoint. What it wrote since is lost.
   *
   * @param to a checkpoint's id, or the beginning of one; `null` for before the first. Default: the last one
   * @throws EngineError `CHECKPOINT_BUSY`, `CHECKPOINT_NOT_FOUND`
   */
  async rollback(to?: string | null): Promise<Checkpoint | undefined> {
    if (to !== null) read('rollback(to)', to, take.maybe(take.text));
    return rollbackContainer(this.#container, to);
  }

  /**
   * Makes containers that start with this container's files, each on its own. Nothing is copied; but see {@link checkpoint}.
   *
   * @param names how many, or the name of each. Default: 1
   * @throws EngineError `CHECKPOINT_BUSY`, `CONTAINER_EXISTS`, `NAME_INVALID`
   */
  async fork(names: number | readonly string[] = 1): Promise<readonly StoredContainer[]> {
    const configs = await forkContainer(this.#container, read('fork(names)', names, shape.FORKS));
    return configs.map((config) => new StoredContainer(this.#container.root, config));
  }

  /**
   * Merges all checkpoints below the container but the latest into one layer, so that the kernel looks through fewer. The checkpoints stay, and
   * the container sees no difference. This also happens in the background when there are many.
   *
   * @throws EngineError `SQUASH_IMPOSSIBLE`; SyscallError, when the disk is full
   */
  async squash(): Promise<void> {
    await squashContainer(this.#container);
  }

  /**
   * Returns what the container can write to and keeps: its root, overlay volumes, and with `try` the host's directories.
   *
   * @throws EngineError `VOLUME_MOVED` when a volume's source is another object now
   */
  async writableMounts(): Promise<readonly [CheckedMount, ...CheckedMount[]]> {
    const views = await currentMounts(this.#container);
    return checkedMounts(views, checkSourcesOf(this.#container, views));
  }

  /**
   * Yields what the container changed since it was created, checkpoints included; see {@link changesOf} of @lamella/overlay.
   *
   * @throws EngineError `CONTAINER_NOT_FOUND`, `VOLUME_MOVED`
   */
  async *changes(): AsyncGenerator<ContainerChange> {
    await this.state();
    const views = await currentMounts(this.#container);
    const { volumes = [], tmpfs = [] } = this.config.spec;
    const sources = checkSourcesOf(this.#container, views);
    try {
      yield* changesIn(
        checkedMounts(views, sources),
        [...volumes, ...tmpfs].map((each) => each.destination),
      );
    } catch (error) {
      throw explainMoved(error, sources) ?? error;
    }
  }

  /**
   * Returns the contents of changed files before and after, in the order of the changes.
   *
   * @param options `limit`: bytes; larger files have no contents. Default: 1 MiB
   */
  async contents(changes: readonly ContainerChange[], options: { readonly limit?: number } = {}): Promise<readonly Contents[]> {
    const { limit = 1 << 20 } = read('contents(changes, options)', options, shape.CONTENTS_OPTIONS);
    try {
      return await contentsOf(changes, limit);
    } catch (error) {
      const given = changes.flatMap(({ view }) => (view.given ? [[view.given.path, view.given] as const] : []));
      throw explainMoved(error, { container: this.#container.shownName, now: new Map(given) }) ?? error;
    }
  }

  /**
   * Makes an image of the container: its image, and a layer of what it changed; with checkpoints, a layer for each. Volumes are left out.
   *
   * @param name `NAME[:TAG]`; an image of that name is replaced
   * @param given `pause`: pause a running container meanwhile. Default: true
   * @throws EngineError `COMMIT_NO_IMAGE`; ImageError `REFERENCE_INVALID`, `CONFIG_CHANGE_INVALID`
   */
  async commit(name: string, given: CommitOptions & { readonly pause?: boolean } = {}): Promise<CommittedImage> {
    const { pause = true, ...options } = read('commit(name, options)', given, shape.COMMIT_OPTIONS);
    return commitContainer(this.#container, read('commit(name)', name, take.text), pause, options);
  }

  /** Returns the tar of the container's files without its mounts: a root filesystem, which `lamella import` makes an image of. */
  async export(): Promise<Readable> {
    const { copyOut } = await import('../lifecycle/files/copy.js');
    const files = await filesOf(this.#container);
    return copyOut(files.kind === 'stopped' ? { ...files, mounts: [] } : files, '/', '.', { mounts: false });
  }

  /**
   * Applies the stopped container's changes to the host's directories (overlay volumes; with `try` the host itself), all or nothing.
   *
   * @throws EngineError `CONTAINER_RUNNING`, `APPLY_NO_TARGET`, `APPLY_CONFLICT`, `APPLY_FAILED`, `APPLY_BUSY`
   */
  async apply(options: ApplyOptions = {}): Promise<Applied> {
    return applyContainer(this.#container, read('apply(options)', options, shape.APPLY_OPTIONS));
  }
}

function resolvedInside(pathname: string): string {
  return path.posix.resolve('/', pathname) + (/\/\.?$/.test(pathname) ? '/' : '');
}
