import { existsSync } from 'node:fs';
import path from 'node:path';
import { busyboxArchive, requiresProgram, requiresRoot, type ScratchDirectory, sample, scratch } from '@lamella-test/scratch';
import { afterAll, beforeAll, type TestContext } from 'vitest';
import { InjectedInterpreter, type Point } from './injection.js';

/** The engine over an interpreter that runs under strace, for all tests of a file. Its members are valid from the first hook on. */
export interface InjectedEngine {
  readonly at: ScratchDirectory;
  /** Absolute path of the store. It has an image `busybox` after {@link InjectedEngine.prepare}. */
  readonly root: string;
  readonly engine: typeof import('@lamella/engine');
  readonly interpreter: InjectedInterpreter;
  /** Skips the test where it cannot be run, and takes all faults away. Returns whether the store is new. */
  prepare(context: TestContext): Promise<boolean>;
}

/** Gives a file of tests an engine whose interpreter fails on demand. */
export function useInjectedEngine(): InjectedEngine {
  let at: ScratchDirectory;
  let engine: InjectedEngine['engine'];
  let interpreter: InjectedInterpreter;
  beforeAll(async () => {
    at = scratch();
    // The engine reads the variable once, when it is loaded.
    process.env.LAMELLA_INIT = at.join('init');
    engine = await import('@lamella/engine');
  });
  afterAll(async () => {
    delete process.env.LAMELLA_INIT;
    await at[Symbol.asyncDispose]();
  });
  const root = (): string => at.join('store');
  return {
    get at() {
      return at;
    },
    get root() {
      return root();
    },
    get engine() {
      return engine;
    },
    get interpreter() {
      return interpreter;
    },
    async prepare(context) {
      requiresRoot(context);
      const strace = requiresProgram(context, 'strace');
      // The package's own interpreter: the variable names the wrapper.
      const own = path.join(import.meta.dirname, `../../../packages/init-linux-${process.arch}/lamella-init`);
      interpreter = new InjectedInterpreter(at.join('init'), at.join('trace'), strace, own);
      interpreter.plain();
      if (existsSync(root())) return false;
      await new engine.ImageStore(root()).import(busyboxArchive(), 'busybox');
      return true;
    },
  };
}

/** Returns all points with LAMELLA_FAULTS=all, or so many of them. */
export function somePoints(points: readonly Point[], count: number): readonly Point[] {
  return process.env.LAMELLA_FAULTS === 'all' ? points : sample(points, count);
}
