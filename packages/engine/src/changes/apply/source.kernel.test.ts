import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { mountOverlay } from '@lamella/overlay';
import { AT_FDCWD, type Op, type Program } from '@lamella/syscall';
import { requiresRoot, type ScratchDirectory, scratch } from '@lamella-test/scratch';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { findSource } from '../../filesystem/sources/identify-source.js';
import type { CheckedMount } from '../../model/writable-mount.js';
import { changesIn } from '../changes.js';
import { apply } from './apply.js';
import { Session } from './inspect/session.js';
import { applyingOf } from './program/journal.js';
import { recover } from './recover.js';
import { undo } from './undo.js';

let at: ScratchDirectory;
let source: string;
let root: string;

beforeEach((context) => {
  requiresRoot(context);
  at = scratch();
  source = at.join('way/source');
  root = at.join('mounted/store');
  mkdirSync(source, { recursive: true });
  mkdirSync(at.join('mounted'));
  // The store is on another mount, so that the stage is in the source.
  execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', at.join('mounted')]);
  mkdirSync(root);
});
afterEach(async () => {
  vi.restoreAllMocks();
  execFileSync('umount', [at.join('mounted')]);
  await at[Symbol.asyncDispose]();
});

/** What a container changed. */
async function changed(act: (merged: string) => void): Promise<{ readonly view: CheckedMount; readonly since: Date }> {
  const [upperdir, workdir, merged] = ['upper', 'work', 'merged'].map((name) => at.join(name)) as [string, string, string];
  for (const each of [upperdir, workdir, merged]) mkdirSync(each);
  await sleep(20);
  const since = new Date();
  const given = findSource(source);
  {
    await using mount = await mountOverlay({ lowerdirs: [source], upperdir, workdir, merged });
    act(mount.path);
  }
  return {
    since,
    view: {
      destination: '/p',
      upperdir,
      workdir,
      frozen: [],
      lowerdirs: [source],
      files: false,
      source,
      expected: given ? { [source]: given.identity } : {},
      given,
    },
  };
}

test('what an apply and its undo do in a source they do below its descriptor', async () => {
  mkdirSync(path.join(source, 'd'));
  for (const name of ['file', 'd/in']) writeFileSync(path.join(source, name), 'original');
  const { view, since } = await changed((merged) => {
    for (const name of ['file', 'd/new', 'new']) writeFileSync(path.join(merged, name), 'changed');
    execFileSync('rm', ['-r', path.join(merged, 'd')]);
  });
  const ops: Op[] = [];
  const run = Session.prototype.run;
  vi.spyOn(Session.prototype, 'run').mockImplementation(function (this: Session, program: Program) {
    ops.push(...program);
    return run.call(this, program);
  });
  await apply({ root, id: 'c1', since }, changesIn([view], []));
  writeFileSync(path.join(source, 'new'), 'later');
  await undo(root, 'c1', { force: true });
  expect(readFileSync(path.join(source, 'file'), 'utf8')).toBe('original');
  const text = (value: unknown): string => (value instanceof Uint8Array ? Buffer.from(value).toString() : String(value));
  const byPath = ops.filter((op) => {
    const { dirfd, olddirfd, newdirfd, pathname, oldpath, newpath } = op as Partial<Record<string, unknown>>;
    return (
      [
        [dirfd, pathname],
        [olddirfd, oldpath],
        [newdirfd, newpath],
      ] as const
    ).some(([fd, name]) => fd === AT_FDCWD && text(name).startsWith(source));
  });
  // The source itself, through no link, and nothing below it.
  expect(new Set(byPath.map((op) => `${op.op} ${'pathname' in op ? text(op.pathname) : ''}`))).toEqual(new Set([`openat2 ${source}`]));
  expect(ops.filter(({ op }) => op === 'mkdirat').length).toBeGreaterThan(0);
});

test('what is left in a source is not looked for where a link leads that took its place', async () => {
  mkdirSync(at.join('outside/source/.lamella-left'), { recursive: true });
  writeFileSync(at.join('outside/source/.lamella-left/mine'), 'mine');
  mkdirSync(path.join(source, '.lamella-left/new'), { recursive: true });
  const given = findSource(source);
  mkdirSync(path.join(root, 'applied/c1'), { recursive: true });
  mkdirSync(path.join(root, 'applying'));
  const mark = (): void => writeFileSync(applyingOf(root, 'c1'), JSON.stringify({ token: 't', stages: [{ source, given, name: '.lamella-left' }] }));
  mark();
  renameSync(at.join('way'), at.join('aside'));
  symlinkSync('outside', at.join('way'));
  await recover(root);
  expect([existsSync(at.join('outside/source/.lamella-left/mine')), existsSync(applyingOf(root, 'c1'))]).toEqual([true, false]);
  execFileSync('rm', [at.join('way')]);
  renameSync(at.join('aside'), at.join('way'));
  mark();
  await recover(root);
  expect(existsSync(path.join(source, '.lamella-left'))).toBe(false);
});
