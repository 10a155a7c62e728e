import { type ContainerChange, Containers, type DetachedSpec, type ExecOptions, type ProcessResult, type StoredContainer } from '@lamella/engine';
import { visible } from '@lamella/syscall';
import { test as base, type TestAPI } from 'vitest';
import { type Readiness, readReadiness, startService } from './service.js';
import { type ChangeSince, changesSince } from './since-setup.js';

/** What every test's container begins as. */
export interface ContainerTestOptions extends Omit<DetachedSpec, 'args' | 'name' | 'remove' | 'restart'> {
  /** A service: this command runs while `setup` does, and is started anew for each test, before it begins. */
  readonly args?: readonly string[];
  /** When the service is ready. Default: as soon as it has been started. `{}` alone makes a service of the image's own command. */
  readonly ready?: Readiness;
  /** Absolute path of the store. Default: as the engine's. */
  readonly root?: string;
  /** What is done once in each file, before its first test: install, migrate, fill. All tests begin with what it left. */
  readonly setup?: (container: TestContainer) => Promise<void>;
}

/** A container that belongs to one test. */
export interface TestContainer {
  readonly container: StoredContainer;
  /**
   * Run a command in what the test has made of it so far, beside its service if it has one. As in a shell: what it exits with
   * is a result, not an error.
   */
  run(args: readonly string[], options?: ExecOptions): Promise<ProcessResult>;
  /** The same with a script for its `sh`. */
  sh(script: string, options?: ExecOptions): Promise<ProcessResult>;
  /** What has been changed since the image, by the setup, too; sorted by path. */
  changes(): Promise<readonly ContainerChange[]>;
}

/** Lines of changes that are shown at the most. */
const SHOWN = 200;

/**
 * Vitest's `test`, whose tests each get a `container`: a fork of one that is made once in each file, in
 * milliseconds, whatever was set up in it. Afterwards it is gone; when the test failed, what it had
 * changed since the setup is shown as one more error of it.
 *
 * @throws ServiceError `OPTION_UNKNOWN`, `OPTION_INVALID`: what `ready` says
 * @throws (in the tests) whatever {@link Containers.create} throws; ServiceError `SERVICE_NOT_READY`, `SERVICE_ENDED`
 */
export function containerTest({ root, setup, ready: asked, ...spec }: ContainerTestOptions): TestAPI<{ origin: StoredContainer; container: TestContainer }> {
  const ready = asked === undefined ? undefined : readReadiness(asked);
  const containers = new Containers(root);
  const isService = spec.args !== undefined || ready !== undefined;
  const begin = async (container: StoredContainer): Promise<void> => {
    if (isService) await startService(container, ready ?? {});
  };
  /** What the setup changed. */
  let prepared: readonly ContainerChange[] = [];
  return base
    .extend(
      'origin',
      { scope: 'file' },
      // Vitest reads which fixtures a function wants from its first parameter.
      // biome-ignore lint/correctness/noEmptyPattern: it wants none
      async ({}, { onCleanup }: { onCleanup: (cleanup: () => Promise<void>) => void }): Promise<StoredContainer> => {
        const origin = await containers.create(isService ? { init: true, ...spec } : spec);
        onCleanup(() => origin.remove({ force: true }));
        if (setup) {
          await begin(origin);
          await setup(testContainer(origin, isService));
          // It ends as it would anywhere: a database closes its files.
          if (isService) await origin.stop();
          await origin.checkpoint('setup');
          prepared = await Array.fromAsync(origin.changes());
        }
        return origin;
      },
    )
    .extend('container', async ({ origin, task }, { onCleanup }: { onCleanup: (cleanup: () => Promise<void>) => void }): Promise<TestContainer> => {
      const [fork] = await origin.fork();
      if (!fork) throw new TypeError('a fork that was not made');
      const own = testContainer(fork, isService);
      onCleanup(async () => {
        try {
          if (task.result?.state === 'fail') throw new ContainerChanges(changesSince(prepared, await own.changes()));
        } finally {
          await fork.remove({ force: true });
        }
      });
      await begin(fork);
      return own;
    }) as never;
}

function testContainer(container: StoredContainer, isService: boolean): TestContainer {
  const run: TestContainer['run'] = async (args, options) => (await (isService ? container.exec({ args }, options) : container.run({ args }, options))).result;
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

  constructor(changes: readonly ChangeSince[]) {
    const lines = changes.map(({ kind, path }) => `${LETTERS[kind]} ${visible(path)}`);
    const more = lines.length - SHOWN;
    const shown = [...lines.slice(0, SHOWN), ...(more > 0 ? [`and ${more} more`] : [])].join('\n');
    super(`the container of this test had changed since its setup:\n${shown || 'nothing'}`);
    // Where this was made says nothing.
    this.stack = `${this.name}: ${this.message}`;
  }
}
