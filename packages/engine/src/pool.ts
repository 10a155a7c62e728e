import { wasOomKilled } from '@lamella/cgroup';
import { type HeldProcess, launchHeld, type ProcessOptions, rest } from '@lamella/namespace';
import { decide, prepare, type RunResult } from './container.js';
import { defaultRoot } from './default-root.js';
import { EngineError } from './engine-error.js';
import { explainFailure } from './explain-failure.js';
import type { Plan } from './plan.js';
import type { RunSpec } from './run-spec.js';
import { recordSources } from './sources/record.js';

/** What the containers of a pool are; each runs one command, and is thrown away. */
export interface PoolSpec
  extends Omit<RunSpec, 'args' | 'entrypoint' | 'keep' | 'workspace' | 'name' | 'terminal' | 'input' | 'init' | 'restart' | 'logs' | 'detachKeys' | 'cwd'> {
  /** How many wait at the most. Default 4. */
  readonly size?: number;
}

/** What one command of a pool may have of its own. */
export interface PoolRunOptions extends Omit<ProcessOptions, 'stdio'> {
  /** Beside the pool's own. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Containers that are cloned, mounted and confined, and wait for a command. */
export interface Pool extends AsyncDisposable {
  /** How many wait now. */
  readonly waiting: number;
  /**
   * Run a command in one of them, or in a new one when none waits.
   *
   * @throws NamespaceError `COMMAND_NOT_FOUND`, …; EngineError `POOL_CLOSED`; the AbortSignal's reason
   */
  run(args: readonly string[], options?: PoolRunOptions): Promise<RunResult>;
}

interface Warm {
  readonly held: HeldProcess;
  readonly plan: Plan;
  readonly events: () => string;
}

/** Others get the processor first: a pool is filled again when nobody has asked for so many milliseconds. */
const QUIET = 3;

/**
 * Make a pool. Resolves when as many are on their way as its size says.
 *
 * @throws as {@link run}
 */
export async function pool({ size = 4, ...spec }: PoolSpec): Promise<Pool> {
  if (!Number.isInteger(size) || size < 1)
    throw new EngineError({ code: 'POOL_SIZE_INVALID', message: `${size} is not a size of a pool`, hint: 'Give a whole number from 1 up.' });
  const root = spec.root ?? defaultRoot();
  const waiting: Warm[] = [];
  const underWay = new Set<Promise<unknown>>();
  let closed = false;
  let timer: NodeJS.Timeout | undefined;
  let filling = 0;

  // The command comes later: what stands in its place is never executed.
  const whole: RunSpec = { ...spec, root, args: ['-'], entrypoint: [] };
  await prepare(root);

  // All of them get the same, whatever one of them puts in its place.
  const given = recordSources(whole);

  const warm = async (): Promise<Warm> => {
    const plan = await decide(whole, {}, root, { hold: 'rest', given });
    let events = '';
    const held = launchHeld(plan.program, (data) => {
      events += data.toString('latin1');
    });
    const made = { held, plan, events: () => events };
    // Somebody killed it, or it could not be made: whoever needs one makes another, and is told.
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
      // What fails here, fails again for whoever finds nothing waiting, who is told.
      const work = fill().catch(() => undefined);
      underWay.add(work);
      void work.finally(() => underWay.delete(work));
    }, QUIET);
    // A pool that nobody uses any more keeps no process alive by this.
    timer.unref();
  };

  const execute = async (args: readonly string[], { env, ...options }: PoolRunOptions): Promise<RunResult> => {
    const taken = waiting.shift() ?? (await warm());
    const { held, plan, events } = taken;
    const running = held.go(rest({ args, env: { ...plan.config.env, ...env }, ...plan.filter }), args, options);
    try {
      return { ...(await running.result), id: plan.id, oomKilled: wasOomKilled(events()), kept: undefined };
    } catch (error) {
      throw await explainFailure(error, plan, undefined);
    } finally {
      later();
    }
  };

  await fill();
  return {
    get waiting() {
      return waiting.length;
    },
    async run(args, options = {}) {
      if (closed) throw new EngineError({ code: 'POOL_CLOSED', message: 'the pool was disposed of', hint: 'Make another one.' });
      if (!args.length) throw new EngineError({ code: 'NO_COMMAND', message: 'there is no command to run', hint: "Name one: pool.run(['true'])." });
      options.signal?.throwIfAborted();
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
