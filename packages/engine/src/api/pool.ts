import { wasOomKilled } from '@lamella/cgroup';
import { type HeldProcess, lastOps, launchHeld, type ProcessOptions, processOptionsShape, type StreamingOf } from '@lamella/namespace';
import { shapeOf, take } from '@lamella/syscall';
import { recordSources } from '../filesystem/sources/record-sources.js';
import { EngineError } from '../model/engine-error.js';
import type { RunSpec } from '../model/run-spec.js';
import { ENVIRONMENT, read, runSpecShape, WORDS, withInit } from '../options/option-shapes.js';
import { decide } from '../run/decide.js';
import { explainFailure } from '../run/explain-failure.js';
import type { Plan } from '../run/plan/plan.js';
import { prepareStore } from '../run/prepare-store.js';
import type { RunResult } from '../run/start.js';
import { defaultRoot } from '../store/default-root.js';

/** What the containers of a pool are; each runs one command, and is thrown away. */
export interface PoolSpec
  extends Omit<RunSpec, 'args' | 'entrypoint' | 'keep' | 'workspace' | 'name' | 'terminal' | 'input' | 'init' | 'restart' | 'logs' | 'detachKeys' | 'cwd'> {
  /** How many wait at the most. Default 4. */
  readonly size?: number;
}

/** Options that one command of a pool may have. */
export interface PoolRunOptions extends ProcessOptions {
  /** Beside the pool's own. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Containers that are cloned, mounted and confined, and wait for a command. */
export interface Pool extends AsyncDisposable {
  /** How many wait now. */
  readonly waiting: number;
  /**
   * Runs a command in one of them, or in a new one when none waits.
   *
   * @throws NamespaceError `COMMAND_NOT_FOUND`, …; EngineError `POOL_CLOSED`, `OPTION_UNKNOWN`, …; the reason of a `cancelSignal` that was aborted before
   */
  run<const O extends PoolRunOptions = Record<never, never>>(args: readonly string[], options?: O): Promise<RunResult<StreamingOf<O>>>;
}

interface Warm {
  readonly held: HeldProcess;
  readonly plan: Plan;
  readonly events: () => string;
}

const POOL_SPEC = shapeOf<PoolSpec>(() => {
  const { args, entrypoint, keep, workspace, name, terminal, input, init, restart, logs, detachKeys, cwd, ...shape } = runSpecShape();
  // What it may be says the pool: POOL_SIZE_INVALID.
  return { ...shape, size: take.checkOf('a number', (value) => typeof value === 'number') };
});
const POOL_RUN_OPTIONS = shapeOf<PoolRunOptions>(() => ({ ...processOptionsShape, env: ENVIRONMENT }));

/** Others get the processor first: a pool is filled again when nobody has asked for so many milliseconds. */
const QUIET = 3;

/**
 * Makes a pool. Resolves when as many are on their way as its size says.
 *
 * @throws as {@link run}
 *
 * @example
 * ```js
 * import { pool } from '@lamella/engine';
 *
 * await using warm = await pool({ image: 'busybox', size: 2 });
 * const results = await Promise.all(['one', 'two'].map((word) => warm.run(['echo', word])));
 * console.log(results.map(({ stdout }) => stdout).join(' ')); // one two
 * ```
 */
export async function pool(asked: PoolSpec): Promise<Pool> {
  const { size = 4, ...spec } = read('pool(spec)', asked, POOL_SPEC);
  if (!Number.isInteger(size) || size < 1)
    throw new EngineError({ code: 'POOL_SIZE_INVALID', message: `${size} is not a size of a pool`, hint: 'Give a whole number from 1 up.' });
  const root = spec.root ?? defaultRoot();
  const waiting: Warm[] = [];
  const underWay = new Set<Promise<unknown>>();
  let closed = false;
  let timer: NodeJS.Timeout | undefined;
  let filling = 0;

  // The command comes later: this placeholder is never executed.
  const whole: RunSpec = withInit({ ...spec, root, args: ['-'], entrypoint: [] });
  await prepareStore(root);

  // All of them get the same sources, even if one of them replaces a source.
  const given = recordSources(whole);

  const warm = async (): Promise<Warm> => {
    const plan = await decide(whole, {}, root, { hold: 'rest', given });
    let events = '';
    const held = launchHeld(plan.program, (data) => {
      events += data.toString('latin1');
    });
    const made = { held, plan, events: () => events };
    // While nobody uses it, it keeps no process alive, and ends with the one that made it.
    held.hold(false);
    // It was killed, or could not be made: the next command that needs one makes another, and reports the error.
    void held.lost.then(() => {
      const at = waiting.indexOf(made);
      if (at >= 0) waiting.splice(at, 1);
    });
    return made;
  };

  const fill = async (): Promise<void> => {
    while (!closed && waiting.length + filling < size) {
      filling++;
      try {
        const made = await warm();
        if (closed) await made.held.abandon();
        else waiting.push(made);
      } finally {
        filling--;
      }
    }
  };

  const later = (): void => {
    clearTimeout(timer);
    if (closed) return;
    timer = setTimeout(() => {
      // What fails here fails again for the next command that finds no container waiting, and that command reports it.
      const work = fill().catch(() => undefined);
      underWay.add(work);
      void work.finally(() => underWay.delete(work));
    }, QUIET);
    // A pool that nobody uses any more keeps no process alive by this.
    timer.unref();
  };

  const execute = async <O extends PoolRunOptions>(args: readonly string[], options: O): Promise<RunResult<StreamingOf<O>>> => {
    const { env, ...own } = options;
    const taken = waiting.shift() ?? (await warm());
    const { held, plan, events } = taken;
    const running = held.go<O>(lastOps({ args, env: { ...plan.config.env, ...env }, ...plan.filter, init: true }), args, own as unknown as O);
    const finish = async (): Promise<RunResult<StreamingOf<O>>> => {
      try {
        return Object.assign(await running.outcome, { id: plan.id, oomKilled: wasOomKilled(events()), kept: undefined });
      } catch (error) {
        throw await explainFailure(error, plan, undefined);
      } finally {
        later();
      }
    };
    return await running.settle(finish());
  };

  await fill();
  return {
    get waiting() {
      return waiting.length;
    },
    async run<const O extends PoolRunOptions = Record<never, never>>(words: readonly string[], given: O = {} as O): Promise<RunResult<StreamingOf<O>>> {
      const args = read('pool.run(args)', words, WORDS);
      const options = read('pool.run(args, options)', given, POOL_RUN_OPTIONS as unknown as take.Check<O>);
      if (closed) throw new EngineError({ code: 'POOL_CLOSED', message: 'the pool was disposed of', hint: 'Make another one.' });
      if (!args.length) throw new EngineError({ code: 'NO_COMMAND', message: 'there is no command to run', hint: "Name one: pool.run(['true'])." });
      options.cancelSignal?.throwIfAborted();
      const work = execute(args, options);
      underWay.add(work);
      try {
        return await work;
      } finally {
        underWay.delete(work);
      }
    },
    async [Symbol.asyncDispose]() {
      closed = true;
      clearTimeout(timer);
      await Promise.allSettled([...underWay, ...waiting.splice(0).map(({ held }) => held.abandon())]);
    },
  };
}
