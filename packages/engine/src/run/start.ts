import path from 'node:path';
import { wasOomKilled } from '@lamella/cgroup';
import { type CommandProcess, launch, type ProcessResult, type Streaming, type StreamingOf } from '@lamella/namespace';
import { LamellaError } from '@lamella/syscall';
import { readLayerStack } from '../checkpoints/checkpoint.js';
import { overlayVolumes } from '../filesystem/writable-mounts.js';
import type { ContainerConfig } from '../model/container-config.js';
import type { RunOptions } from '../model/run-options.js';
import type { RunSpec } from '../model/run-spec.js';
import { forgetDeadNames } from '../store/names.js';
import { decide } from './decide.js';
import { explainFailure } from './explain-failure.js';
import type { Plan } from './plan/plan.js';
import type { Life } from './plan/plan-request.js';

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
  /** Sets the size of the container's terminal. */
  resize(rows: number, columns: number): void;
  /** Tells it that the user's terminal is this process's again, after `onStopped`. */
  foreground(): void;
}

/** Starts one life of a container in the foreground. Calls `onNeverBegun` for one whose command was never executed. */
export async function startInForeground<O extends RunOptions>(
  spec: RunSpec,
  options: O,
  root: string,
  life: Life = {},
  onNeverBegun?: (id: string) => Promise<void>,
): Promise<Container<StreamingOf<O>>> {
  const explained = async (error: unknown): Promise<unknown> => {
    if (!spec.host) return error;
    const { explainTryFailure } = await import('./explain-try-failure.js');
    return explainTryFailure(error, { args: spec.args ?? [], cwd: spec.cwd ?? '/', root });
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
 * Notes what a container of an ordinary user wrote in on the host: for root overlayfs does. What cannot be looked at stays in doubt;
 * the container does not fail because of it.
 */
async function notePlaces(root: string, config: ContainerConfig): Promise<void> {
  if (process.geteuid?.() === 0 || !(config.spec.host || overlayVolumes(config.spec).length)) return;
  const record = { containers: path.join(root, 'containers'), id: config.id };
  try {
    const { noteSeenPlaces } = await import('../changes/apply/conflicts/seen-directories.js');
    await noteSeenPlaces(record, config, readLayerStack(root, record, config).views);
  } catch (error) {
    if (!(error instanceof LamellaError) && (error as NodeJS.ErrnoException).code === undefined) throw error;
  }
}
