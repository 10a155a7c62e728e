import { requiresRoot, type ScratchDirectory, scratch } from '@lamella-test/scratch';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { fails, nothingIsLeft, storeOf, succeeds, type TestUser, USERS, type UserKind } from './test-user.js';

/** A user with a store, for all tests of a suite. Its members are valid from the suite's first hook on. */
export interface UserFixture extends TestUser {
  readonly at: ScratchDirectory;
  /** Absolute path of the user's store. */
  readonly store: string;
  /** Runs the CLI, which must succeed, and returns its output. */
  readonly succeeds: (...args: string[]) => string;
  /** Runs the CLI, which must fail, and returns its stderr. */
  readonly fails: (...args: string[]) => string;
}

/**
 * Gives the suite a user. Call it before the suite registers other hooks: then those find the user and the store, and
 * the check that a test left nothing comes after the suite's own cleaning.
 *
 * @param devices devices that the user may open, whatever their permissions on this machine
 */
export function useUser(kind: UserKind, devices?: readonly string[]): UserFixture {
  let at: ScratchDirectory;
  let user: TestUser;
  let store: string | undefined;

  beforeAll(() => {
    at = scratch();
    // Only root can create another user's home. Without it each test is skipped below.
    if (process.geteuid?.() === 0) user = USERS[kind](at, devices);
  });
  beforeEach((context) => {
    requiresRoot(context);
    user.require(context);
    store = storeOf(at, user);
  });
  afterEach(() => {
    if (store !== undefined) nothingIsLeft(at, user, store);
  });
  afterAll(() => at[Symbol.asyncDispose]());

  return {
    get at() {
      return at;
    },
    get store() {
      if (store === undefined) throw new Error('a suite has its store from its first beforeEach on');
      return store;
    },
    get uid() {
      return user.uid;
    },
    get home() {
      return user.home;
    },
    run: (...args) => user.run(...args),
    spawn: (...args) => user.spawn(...args),
    lamella: (...args) => user.lamella(...args),
    require: (context) => user.require(context),
    succeeds: (...args) => succeeds(user, args),
    fails: (...args) => fails(user, args),
  };
}
