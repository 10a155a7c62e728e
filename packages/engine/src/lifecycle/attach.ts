import { type Readable, Writable } from 'node:stream';
import { ChunkLog, type LogSource, type ProcessEnd, processEndOf, WatchedPromise } from '@lamella/namespace';
import { connectMonitor, type MonitorConnection, type Reply } from '@lamella/syscall';
import { EngineError } from '../model/engine-error.js';
import { isPaused, notRunning } from './container-errors.js';
import type { ContainerHandle } from './container-handle.js';
import { hasLog } from './logs.js';
import { isStarted } from './state.js';

/** The stdio of a container that runs, for as long as one is attached to it. */
export interface Attached extends Disposable {
  /** What is written here its process reads, if its stdin is open. Ending it ends that stdin, but not a terminal. */
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** Nothing comes by it from a terminal. */
  readonly stderr: Readable;
  /** Sets the size of the container's terminal. */
  resize(rows: number, columns: number): Promise<void>;
  /** Sends a signal, by its number, to the container's first process. */
  kill(signal: number): Promise<void>;
  /** Leaves it running. */
  detach(): void;
  /**
   * Resolves when the container ended, or, with undefined, when the connection did. Once it is asked for, output that is not read no longer
   * holds the container back: what is too much to keep is dropped (`OUTPUT_DROPPED`).
   */
  readonly ended: Promise<ProcessEnd | undefined>;
}

const MOST = 4096;

/**
 * Come to a container by its monitor's socket.
 *
 * @returns undefined when nobody listens there
 */
export async function attachTo(directory: string): Promise<Attached | undefined> {
  const ended = Promise.withResolvers<ProcessEnd | undefined>();
  let connection: MonitorConnection | undefined;
  let isAwaited = false;
  const holding = new Set<ChunkLog>();
  const source: LogSource = {
    // A slow reader holds the container back; it does not fill this process's memory.
    hold(log, held) {
      if (held) holding.add(log);
      else holding.delete(log);
      if (holding.size) connection?.pause();
      else connection?.resume();
    },
    // The container writes for others, too, and for its log.
    abandon: () => undefined,
    // All comes by one connection: an output that nobody reads must hold back neither the other nor the end.
    isWanted: (log) => isAwaited || (log === stdout ? stderr : stdout).isRead,
  };
  const stdout: ChunkLog = new ChunkLog(source, { keep: false });
  const stderr: ChunkLog = new ChunkLog(source, { keep: false });
  const onReply = (reply: Reply): void => {
    if (reply.kind === 'exited') ended.resolve(processEndOf(reply));
    if (reply.kind === 'data') (reply.index === 2 ? stderr : stdout).write(reply.data);
  };
  connection = await connectMonitor(directory, onReply);
  if (!connection) return undefined;
  const { order } = connection;
  void connection.closed.then(() => {
    ended.resolve(undefined);
    stdout.end();
    stderr.end();
  });
  await order({ op: 'watch', output: 1 });
  const leave = (): void => connection[Symbol.dispose]();
  const stdin = new Writable({
    write(chunk: Buffer, _encoding, done) {
      void (async () => {
        for (let at = 0; at < chunk.length; at += MOST) await order({ op: 'input', data: chunk.subarray(at, at + MOST) });
      })().then(() => done(), done);
    },
    final(done) {
      order({ op: 'end_input' }).then(() => done(), done);
    },
  });
  return {
    stdin,
    stdout: stdout.first,
    stderr: stderr.first,
    resize: (rows, columns) => order({ op: 'resize', rows, columns }),
    kill: (signo) => order({ op: 'signal', signo }),
    detach: leave,
    ended: WatchedPromise.of(ended.promise, () => {
      isAwaited = true;
      stdout.settle();
      stderr.settle();
    }),
    [Symbol.dispose]: leave,
  };
}

/**
 * Attaches to the stdin, stdout and stderr of a running container. Up to sixteen can be attached at once.
 *
 * @throws EngineError `CONTAINER_NOT_RUNNING`, `CONTAINER_PAUSED`, `NOT_ATTACHABLE`
 */
export async function attachToContainer(container: ContainerHandle): Promise<Attached> {
  const { status } = await container.state();
  if (!isStarted(status)) throw notRunning(container);
  if (status === 'paused') throw isPaused(container, 'attach to');
  const fail = (why: string, hint: string): EngineError =>
    new EngineError({ code: 'NOT_ATTACHABLE', message: `cannot attach to the container ${container.shownName}: ${why}`, hint });
  if (!hasLog(container.directory) && !container.config.spec.terminal)
    throw fail('its output goes to the process that runs it', 'Containers that run detached (-d), or with a terminal (-t), can be attached to.');
  const attached = await attachTo(container.directory);
  if (!attached) throw fail('its monitor has no socket', 'The container has just ended, or its store is on a filesystem without sockets.');
  return attached;
}
