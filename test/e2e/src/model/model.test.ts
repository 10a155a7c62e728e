import { chmodSync, chownSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { requiresOverlayUppers, requiresRoot, type ScratchDirectory, scratch } from '@lamella-test/scratch';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type TestUser, USERS } from '../test-user.js';

/** How long each of the four plays: an hour in all, in the long form. That takes other cases each time, the short one the same. */
const SECONDS = process.env.LAMELLA_MODEL_SECONDS ?? (process.env.LAMELLA_LONG ? '900' : undefined);
const SEED = '20261127';
const PLAY = path.join(import.meta.dirname, '../../dist/model/play.js');

describe.each(['root', 'an ordinary user'] as const)('random changes by %s, tried and applied', (kind) => {
  let at: ScratchDirectory;
  let stores: ScratchDirectory;
  let who: TestUser;

  beforeEach((context) => {
    requiresRoot(context);
    requiresOverlayUppers(context);
    at = scratch();
    stores = scratch('tmpfs');
    chmodSync(stores.path, 0o755);
    who = USERS[kind](at);
    who.require(context);
  });
  afterEach(async () => {
    await at?.[Symbol.asyncDispose]();
    await stores?.[Symbol.asyncDispose]();
  });

  test.each([
    ['beside the tree', () => at],
    ['on another mount', () => stores],
  ] as const)('make what they make natively, or a conflict that is named; the store is %s', { timeout: (Number(SECONDS ?? 5) + 120) * 1000 }, (_, place) => {
    const [directory, store] = [at.join('played'), place().join('store')];
    for (const each of [directory, store]) {
      mkdirSync(each);
      chownSync(each, who.uid, who.uid);
    }
    const played = who.run(process.execPath, [PLAY, directory, store, SECONDS ?? '5', ...(SECONDS === undefined ? [SEED] : [])], { TMPDIR: at.path });
    process.stderr.write(`${kind}: ${played.stdout}`);
    expect(played).toMatchObject({ status: 0, stderr: '' });
  });
});
