import { type ContainerChange, Containers, type DetachedSpec, type RunOptions, type RunResult, type StoredContainer } from '@lamella/engine';
import { test as base, type TestAPI } from 'vitest';

/** What every test's container begins as. */
export interface ContainerTestOptions extends Omit<DetachedSpec, 'args' | 'name' | 'remove' | 'restart'> {
  /** Absolute path of the store. Default: as the engine's. */
  readonly root?: string;
  /** What is done once in each file, before its first test: install, migrate, fill. All tests begin with what it left. */
  readonly setup?: (container: TestContainer) => Promise<void>;
}

/** A container that belongs to one test. */
export interface TestContainer {
  readonly container: StoredContainer;
  /** Run a command in what the test has made of it so far. As in a shell: what it exits with is a result, not an error. */
  run(args: readonly string[], options?: RunOptions): Promise<RunResult>;
  /** The same with a script for its `sh`. */
  sh(script: string, options?: RunOptions): Promise<RunResult>;
  /** What the test changed, sorted by path. */
  changes(): Promise<readonly ContainerChange[]>;
}

/** Lines of changes that are shown at the most. */
const SHOWN = 200;

/**
 * Vitest's `test`, whose tests get a `container` of their own: a fork of one that is made once in each file, in
 * milliseconds, whatever was set up in it. Afterwards it is gone; when the test failed, what it had
 * changed is shown as one more error of it.
 *
 * @throws (in the tests) whatever {@link Containers.create} throws
 */
export function containerTest({ root, setup, ...spec }: ContainerTestOptions): TestAPI<{ origin: StoredContainer; container: TestContainer }> {
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
        if (setup) {
          await setup(testContainer(origin));
          await origin.checkpoint('setup');
        }
        return origin;
      },
    )
    .extend('container', async ({ origin, task }, { onCleanup }: { onCleanup: (cleanup: () => Promise<void>) => void }): Promise<TestContainer> => {
      const [fork] = await origin.fork();
      if (!fork) throw new TypeError('a fork that was not made');
      const own = testContainer(fork);
      onCleanup(async () => {
        try {
          if (task.result?.state === 'fail') throw new ContainerChanges(await since(own));
        } finally {
          await fork.remove({ force: true });
        }
      });
      return own;
    }) as never;
}

function testContainer(container: StoredContainer): TestContainer {
  const run: TestContainer['run'] = async (args, options) => (await container.run({ args }, options)).result;
  const own: TestContainer = {
    container,
    run,
    sh: (script, options) => run(['sh', '-c', script], options),
    changes: () => since(own),
  };
  return own;
}

async function since({ container }: Pick<TestContainer, 'container'>): Promise<readonly ContainerChange[]> {
  return Array.fromAsync(container.changes());
}

const LETTERS = { added: 'A', modified: 'M', deleted: 'D' } as const;

/** What the container of a failed test had changed: Vitest shows it after the test's own errors. */
class ContainerChanges extends Error {
  override readonly name = 'ContainerChanges';

  constructor(changes: readonly ContainerChange[]) {
    const lines = changes.map(({ kind, path, aspects }) => `${LETTERS[kind]} ${path}${aspects.length ? ` (${aspects.join(', ')})` : ''}`);
    const more = lines.length - SHOWN;
    const shown = [...lines.slice(0, SHOWN), ...(more > 0 ? [`and ${more} more`] : [])].join('\n');
    super(`the container of this test had changed:\n${shown || 'nothing'}`);
    // Where this was made says nothing.
    this.stack = `${this.name}: ${this.message}`;
  }
}
