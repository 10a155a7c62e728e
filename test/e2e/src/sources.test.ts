import { chownSync, lchownSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { findProgram } from '@lamella-test/scratch';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fails, USERS } from './test-user.js';
import { useUser } from './user-fixture.js';

/** Root's are tried by packages/engine/src/filesystem/sources/sources.kernel.test.ts in all its kinds. */
const LONG = process.env.LAMELLA_LONG !== undefined;

describe.each((Object.keys(USERS) as (keyof typeof USERS)[]).filter((kind) => LONG || kind !== 'root'))('what a container of %s was given', (kind) => {
  const user = useUser(kind);
  let home: string;
  const { succeeds: lamella } = user;
  const refused = (...args: string[]): void => expect(fails(user, args)).toContain(`${home}/d/p, the source of a volume of the container`);

  beforeEach(() => {
    home = user.home;
    for (const name of ['d', 'd/p', 'outside']) {
      mkdirSync(`${home}/${name}`);
      chownSync(`${home}/${name}`, user.uid, user.uid);
    }
    for (const name of ['d/p/own', 'outside/secret']) {
      writeFileSync(`${home}/${name}`, `${name}\n`);
      chownSync(`${home}/${name}`, user.uid, user.uid);
    }
  });
  afterEach(() => {
    for (const name of ['d', 'outside']) rmSync(`${home}/${name}`, { recursive: true, force: true });
  });

  // With a user namespace, fuse-overlayfs joins the layers for an ordinary user, and idmapped mounts do it for root.
  const all: readonly (readonly [string, readonly string[]])[] = [
    ['an overlay', []],
    ['an overlay with ids of its own', ['--userns', 'auto']],
  ];
  const [plain, own] = all;
  const possible = kind === 'an ordinary user' ? [plain] : LONG ? all : [own];
  test.for(possible.filter((each) => each !== undefined))('as %s, is used, or refused when a container has put a link there', ([, flags], context) => {
    if (flags.length && kind !== 'root' && !findProgram('fuse-overlayfs')) return context.skip('fuse-overlayfs is not installed');
    lamella('create', '--name', 'one', ...flags, '-v', `${home}/d/p:/p:overlay`, 'busybox');
    lamella('create', '--name', 'two', '-v', `${home}/d:/d`, 'busybox');
    expect(lamella('run', '--on', 'one', 'sh', '-c', 'cat /p/own; echo new >/p/new; rm /p/own')).toBe('d/p/own');
    lamella('run', '--on', 'two', 'sh', '-c', `mv /d/p /d/q; ln -s ${home}/outside /d/p`);
    refused('changes', 'one');
    refused('apply', 'one');
    refused('run', '--on', 'one', 'cat', '/p/secret');
    refused('start', 'one');
    refused('cp', 'one:/bin', `${home}/d`);
    lamella('fork', 'one', 'three');
    refused('run', '--on', 'three', 'true');
    lamella('inspect', 'one');
    expect(readdirSync(`${home}/outside`)).toEqual(['secret']);
    expect(readFileSync(`${home}/outside/secret`, 'utf8')).toBe('outside/secret\n');
    lamella('run', '--on', 'two', 'sh', '-c', 'rm /d/p; mv /d/q /d/p');
    expect(lamella('run', '--on', 'three', 'ls', '/p')).toBe('new');
    expect(lamella('changes', 'one', '--stat')).toBe('1 added, 1 deleted (+4 B, -8 B)');
    lamella('apply', 'one');
    expect(readdirSync(`${home}/d/p`)).toEqual(['new']);
    renameSync(`${home}/d/p`, `${home}/d/q`);
    symlinkSync('q', `${home}/d/p`);
    lchownSync(`${home}/d/p`, user.uid, user.uid);
    expect(user.lamella(['apply', '--undo', 'one']).status).toBe(125);
    expect(readdirSync(`${home}/d/q`)).toEqual(['new']);
    rmSync(`${home}/d/p`);
    renameSync(`${home}/d/q`, `${home}/d/p`);
    lamella('apply', '--undo', 'one');
    expect(readdirSync(`${home}/d/p`)).toEqual(['own']);
  });
});
