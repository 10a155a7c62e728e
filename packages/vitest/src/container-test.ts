import {
  type ContainerChange,
  Containers,
  type DetachedSpec,
  EngineError,
  type ProcessOptions,
  type ProcessResult,
  type StoredContainer,
  type StreamingOf,
} from '@lamella/engine';
import { take } from '@lamella/syscall';
import { test as base, type TestAPI } from 'vitest';
import { READINESS, type Readiness, read, untilReady } from './ready.js';
import { type Reported, sinceSetup } from './since-setup.js';

/** What every test's container begins as. */
export interface ContainerTestOptions extends Omit<DetachedSpec, 'name' | 'remove' | 'restart'> {
  /** Absolute path of the store. Default: as the engine's. */
  readonly root?: string;
  /** What is done once in each file, before its first test: install, migrate, fill. All tests begin with what it left. Nothing of `args` runs then. */
  readonly setup?: (container: TestContainer) => Promise<void>;
  /** A server that runs in the container while a test does. Without it nothing runs between the commands of a test. */
  readonly args?: readonly string[];
  /** When that server is ready; the test begins then. Default: when it has been started. */
  readonly ready?: Readiness;
}

/** A container that belongs to one test. */
export interface TestContainer {
  readonly container: StoredContainer;
  /** Run a command in what the test has made of it so far, beside the server if there is one. What it exits with is a result, not an error. */
  run<const O extends ProcessOptions = Record<never, never>>(args: readonly string[], options?: O): Promise<ProcessResult<StreamingOf<O>>>;
  /** The same with a script for its `sh`. */
  sh<const O extends ProcessOptions = Record<never, never>>(script: string, options?: O): Promise<ProcessResult<StreamingOf<O>>>;
  /** What was changed since the image, by the setup and by the test, sorted by path. */
  changes(): Promise<readonly ContainerChange[]>;
}

/** Lines of changes that are shown at the most. */
const SHOWN = 200;
/** What belongs to a container with one life, and not to one that begins each test. */
const NOT_HERE = ['name', 'remove', 'restart'] as const;

/** What the setup of an origin had changed. */
const setups = new WeakMap<StoredContainer, readonly ContainerChange[]>();

/**
 * Vitest's `test`, whose tests get a `container` of their own: a fork of one that is made once in each file, in
 * milliseconds, whatever was set up in it. Afterwards it is gone; when the test failed, what it had
 * changed since the setup is shown as one more error of it.
 *
 * @throws EngineError `OPTION_INVALID`, …; (in the tests) whatever {@link Containers.create} throws, and `SERVICE_NOT_READY`
 */
export function containerTest(options: ContainerTestOptions): TestAPI<{ origin: StoredContainer; container: TestContainer }> {
  const { root, setup, ready, ...spec } = optionsOf(options);
  const containers = new Containers(root);
  return base
    .extend(
      'origin',
      { scope: 'file' },
      // Vitest reads which fixtures a function wants from its first parameter.
      // biome-ignore lint/correctness/noEmptyPattern: it wants none
      async ({}, { onCleanup }: { onCleanup: (cleanup: () => Promise<void>) => void }): Promise<StoredContainer> => {
        const origin = await containers.create(spec);
        onCleanup(() => origin.remove({ force: true }));
        if (!setup) return origin;
        const own = testContainer(origin);
        await setup(own);
        setups.set(origin, await own.changes());
        await origin.checkpoint('setup');
        return origin;
      },
    )
    .extend('container', async ({ origin, task }, { onCleanup }: { onCleanup: (cleanup: () => Promise<void>) => void }): Promise<TestContainer> => {
      const [fork] = await origin.fork();
      if (!fork) throw new TypeError('a fork that was not made');
      const own = testContainer(fork);
      onCleanup(async () => {
        try {
          if (task.result?.state === 'fail') throw new ContainerChanges(sinceSetup(setups.get(origin) ?? [], await own.changes()));
        } finally {
          await fork.remove({ force: true });
        }
      });
      if (spec.args?.length) {
        await fork.start();
        await untilReady(fork, ready ?? {});
      }
      return own;
    }) as never;
}

/** What is not an option of a container is refused by the engine, when the first one is made. */
function optionsOf(options: ContainerTestOptions): ContainerTestOptions {
  const where = 'containerTest(options)';
  const given = {
    ...read(
      where,
      options,
      take.checkOf<ContainerTestOptions>('an object', (value) => typeof value === 'object' && value !== null),
    ),
  };
  const known = (name: string): boolean => (NOT_HERE as readonly string[]).includes(name);
  const wrong = Object.keys(given).find(known);
  if (wrong !== undefined)
    throw new EngineError({
      code: 'OPTION_UNKNOWN',
      message: `there is no option '${wrong}' of ${where}`,
      hint: 'Each test has a container that is gone after it.',
    });
  if (given.root !== undefined) read(`${where}: root`, given.root, take.absolutePath);
  if (given.setup !== undefined) read(`${where}: setup`, given.setup, take.functionOf<NonNullable<ContainerTestOptions['setup']>>());
  if (given.args !== undefined) read(`${where}: args`, given.args, take.listOf(take.text));
  const ready = given.ready === undefined ? undefined : read(`${where}: ready`, given.ready, READINESS);
  const invalid = (message: string, hint: string): EngineError => new EngineError({ code: 'OPTION_INVALID', message, hint });
  if (ready && !given.args?.length) throw invalid('ready is for a server, and there is none', 'Name its command: args.');
  if (ready?.http !== undefined && given.network !== 'host')
    throw invalid(
      'ready.http asks from here, where a container with a network of its own is not reached',
      "Give network: 'host'; or ask in the container: ready.command, or ready.port.",
    );
  return given;
}

function testContainer(container: StoredContainer): TestContainer {
  const run: TestContainer['run'] = async (args, options) => {
    const { status } = await container.state();
    const running = status === 'running' ? await container.exec({ args }, options) : await container.run({ args }, options);
    return running.result as never;
  };
  return {
    container,
    run,
    sh: (script, options) => run(['sh', '-c', script], options),
    changes: () => Array.fromAsync(container.changes()),
  };
}

const LETTERS = { added: 'A', modified: 'M', deleted: 'D' } as const;

/** What the container of a failed test had changed: Vitest shows it after the test's own errors. */
class ContainerChanges extends Error {
  override readonly name = 'ContainerChanges';

  constructor(changes: readonly Reported[]) {
    const lines = changes.map(({ kind, path, aspects }) => `${LETTERS[kind]} ${path}${aspects.length ? ` (${aspects.join(', ')})` : ''}`);
    const more = lines.length - SHOWN;
    const shown = [...lines.slice(0, SHOWN), ...(more > 0 ? [`and ${more} more`] : [])].join('\n');
    super(`the container of this test had changed:\n${shown || 'nothing'}`);
    // Where this was made says nothing.
    this.stack = `${this.name}: ${this.message}`;
  }
}
