import { spawnSync } from 'node:child_process';
import { chownSync, cpSync, lchownSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import path from 'node:path';
import { requiresProgram, requiresRoot, type ScratchDirectory, scratch } from '@lamella-test/scratch';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CLI } from './cli.js';
import { storeOf, succeeds, type TestUser, USERS } from './test-user.js';

/**
 * Checkpoints, forks and rollbacks of `lamella try`, for each kind of user and each place that a store can be in. The same lines of shell run in a
 * copy of the directory without Lamella: a listing of changes has to say what is different there, and nothing else.
 */
const PLACES = ['beside it', 'in the directory that is changed', 'in /dev/shm', 'on another mount'] as const;
type Kind = keyof typeof USERS;
/** All pairs take a minute; these are tried each time. */
const SHORT: Readonly<Record<Kind, readonly (typeof PLACES)[number][]>> = {
  root: ['in the directory that is changed'],
  'an ordinary user': ['in /dev/shm'],
  'an ordinary user with ids in /etc/subuid': ['beside it'],
};
const LONG = process.env.LAMELLA_LONG !== undefined;

let at: ScratchDirectory;
let memory: ScratchDirectory;
const mounted: (() => void)[] = [];
beforeEach((context) => {
  requiresRoot(context);
  at = scratch();
  memory = scratch('tmpfs');
});
afterEach(async () => {
  for (const unmount of mounted.splice(0)) unmount();
  await Promise.all([at[Symbol.asyncDispose](), memory[Symbol.asyncDispose]()]);
});

/** Where a store is, and who it belongs to. */
function storeIn(place: (typeof PLACES)[number], who: TestUser, project: string): string {
  if (place === 'beside it') return `${who.home}/store`;
  if (place === 'in the directory that is changed') return `${project}/.store`;
  const directory = place === 'in /dev/shm' ? memory.path : at.join('mounted');
  if (place === 'on another mount') {
    mkdirSync(directory);
    expect(spawnSync('mount', ['-t', 'tmpfs', 'lamella-test', directory]).status).toBe(0);
    mounted.push(() => spawnSync('umount', [directory]));
  }
  chownSync(directory, who.uid, who.uid);
  return `${directory}/store`;
}

interface Seen {
  readonly type: string;
  readonly what: string;
}

/** What is in a tree, without a store in it. */
function treeOf(top: string): ReadonlyMap<string, Seen> {
  const found = new Map<string, Seen>();
  const look = (below: string): void => {
    for (const name of readdirSync(path.join(top, below)).toSorted()) {
      const where = path.join(below, name);
      if (where === '.store') continue;
      const stats = lstatSync(path.join(top, where));
      const [type, content] = stats.isDirectory()
        ? ['directory', '']
        : stats.isSymbolicLink()
          ? ['symlink', readlinkSync(path.join(top, where))]
          : ['file', readFileSync(path.join(top, where), 'latin1')];
      found.set(where, { type, what: `${stats.isSymbolicLink() ? '' : (stats.mode & 0o7777).toString(8)} ${stats.uid} ${content}` });
      if (stats.isDirectory()) look(where);
    }
  };
  look('');
  return found;
}

/** `KIND PATH` of each difference between two trees. */
function differences(before: ReadonlyMap<string, Seen>, after: ReadonlyMap<string, Seen>): string[] {
  const names = [...new Set([...before.keys(), ...after.keys()])].toSorted();
  return names.flatMap((name) => {
    const [was, is] = [before.get(name), after.get(name)];
    if (!was) return [`added ${name}`];
    if (!is) return [`deleted ${name}`];
    return was.type === is.type && was.what === is.what ? [] : [`modified ${name}`];
  });
}

/** A directory with something in it, once for Lamella and once without. */
class Twins {
  readonly project: string;
  readonly #who: TestUser;
  readonly #begin: string;
  #native: string;
  #count = 0;
  readonly #states = new Map<string, string>();

  constructor(who: TestUser) {
    this.#who = who;
    this.project = `${who.home}/project`;
    this.#begin = at.join('begin');
    this.#native = at.join('native-0');
    const lines = 'mkdir -p d/x e; echo a >a; echo 1 >d/x/1; echo 2 >d/2; ln -s a l; echo e >e/e; chmod 600 e/e';
    mkdirSync(this.project);
    chownSync(this.project, who.uid, who.uid);
    this.#in(this.project, lines);
    for (const copy of [this.#begin, this.#native]) this.#copy(this.project, copy);
  }

  #copy(from: string, to: string): void {
    rmSync(to, { recursive: true, force: true });
    expect(this.#who.uid === 0 || lstatSync(from).uid === this.#who.uid).toBe(true);
    cpSync(from, to, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true, filter: (file) => !file.endsWith('/.store') });
    this.#chown(from, to);
  }

  #chown(from: string, to: string): void {
    const { uid, gid } = lstatSync(from);
    lchownSync(to, uid, gid);
    if (lstatSync(from).isDirectory()) for (const name of readdirSync(to)) this.#chown(path.join(from, name), path.join(to, name));
  }

  #in(directory: string, lines: string): void {
    this.#who.run('sh', ['-c', `umask 022; cd ${directory} && { ${lines}; }`]);
  }

  /** What the command would have done by itself. */
  run(lines: string): void {
    this.#in(this.#native, lines);
  }

  keep(id: string): void {
    const copy = at.join(`state-${this.#count++}`);
    this.#copy(this.#native, copy);
    this.#states.set(id, copy);
  }

  goTo(id: string | undefined): void {
    this.#native = at.join(`native-${++this.#count}`);
    this.#copy(id === undefined ? this.#begin : (this.#states.get(id) ?? ''), this.#native);
  }

  expected(): string[] {
    return differences(treeOf(this.#begin), treeOf(this.#native));
  }

  native(): ReadonlyMap<string, Seen> {
    return treeOf(this.#native);
  }
}

/** Lamella of a user, with a store, beside {@link Twins}. */
class Trial {
  readonly twins: Twins;
  readonly #lamella: (...args: string[]) => string;
  readonly states: string[] = [];
  #id = '';

  constructor(who: TestUser, store: string, twins: Twins) {
    this.twins = twins;
    this.#lamella = (...args) => {
      // The command runs in the current directory. Not all commands take the store as an argument.
      const { status, stdout, stderr } = who.run('sh', ['-c', 'cd "$1" && shift && exec "$@"', 'sh', twins.project, process.execPath, CLI, ...args], {
        LAMELLA_ROOT: store,
        NODE_NO_WARNINGS: '1',
      });
      // Mounts and files of other tests of the same user in /tmp may be listed, too.
      const said = stderr.replace(/^lamella: note: \/tmp has other mounts below it.*\n/gm, '');
      expect({ args, status, stderr: args[0] === 'try' ? '' : said }, stderr).toEqual({ args, status: 0, stderr: '' });
      return `${stdout}${args[0] === 'try' ? stderr : ''}`.trim();
    };
  }

  run(lines: string): void {
    const script = `umask 022; { ${lines}; } 2>/dev/null; true`;
    if (this.#id) this.#lamella('run', '--on', this.#id, 'sh', '-c', script);
    else
      this.#id =
        this.#lamella('try', '-n', 'sh', '-c', script)
          .split('\n')
          .at(-1)
          ?.match(/[0-9a-f]{12}/)?.[0] ?? '';
    this.twins.run(`{ ${lines}; } 2>/dev/null; true`);
  }

  checkpoint(): void {
    const id = this.#lamella('checkpoint', this.#id);
    this.states.push(id);
    this.twins.keep(id);
  }

  rollback(index: number | 'beginning'): void {
    const id = index === 'beginning' ? undefined : this.states[index % this.states.length];
    if (index !== 'beginning' && id === undefined) return;
    this.#lamella('rollback', this.#id, ...(id === undefined ? ['--all'] : [id]));
    this.twins.goTo(id);
  }

  /** Goes on in a fork; the one before is discarded. */
  fork(): void {
    const id = this.#lamella('fork', this.#id);
    this.#lamella('rm', this.#id);
    this.#id = id;
  }

  check(): void {
    const listed = this.#lamella('changes', '--json', this.#id)
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as { kind: string; path: string; aspects?: readonly string[] })
      // What was written anew as it was differs in nothing that is compared here.
      .filter(({ aspects }) => aspects?.join() !== 'mtime')
      .map(({ kind, path: where }) => `${kind} ${path.relative(this.twins.project, where)}`);
    expect(listed.toSorted()).toEqual(this.twins.expected().toSorted());
  }

  apply(): void {
    if (!this.twins.expected().length) return;
    this.#lamella('apply', this.#id);
    expect(treeOf(this.twins.project)).toEqual(this.twins.native());
  }

  end(): void {
    const left = this.#lamella('ps', '-aq').split('\n').filter(Boolean);
    if (left.length) this.#lamella('rm', ...left);
    expect(this.#lamella('ps', '-aq')).toBe('');
  }
}

describe.each(Object.keys(USERS) as Kind[])('states of a try of %s', (kind) => {
  test.for(LONG ? PLACES : SHORT[kind])('with a store %s', (place, context) => {
    const who = USERS[kind](at);
    who.require(context);
    requiresProgram(context, 'mount');
    const twins = new Twins(who);
    const trial = new Trial(who, storeIn(place, who, twins.project), twins);
    trial.run('echo new >new; echo more >>a; rm -r d; mkdir d; echo y >d/y; chmod 500 e; ln -s nowhere link');
    trial.checkpoint();
    trial.check();
    trial.run('rm new l; mv a b; echo 2 >d/2; chmod 700 e; rm e/e');
    trial.fork();
    trial.check();
    trial.rollback(0);
    trial.check();
    trial.run('echo last >last');
    trial.checkpoint();
    trial.rollback('beginning');
    trial.check();
    trial.rollback(1);
    trial.check();
    trial.apply();
    trial.end();
  });

  test.skipIf(!LONG && kind !== 'an ordinary user')('with a store of their own (-D), which is used again, and discarded', (context) => {
    const who = USERS[kind](at);
    who.require(context);
    const project = `${who.home}/project`;
    const box = `${who.home}/box`;
    for (const directory of [project, box]) {
      mkdirSync(directory);
      chownSync(directory, who.uid, who.uid);
    }
    const inProject = (...args: string[]): string => {
      const { status, stdout, stderr } = who.run('sh', ['-c', `cd ${project} && exec "$@"`, 'sh', process.execPath, CLI, ...args], { NODE_NO_WARNINGS: '1' });
      expect({ args, status }, stderr).toEqual({ args, status: 0 });
      return stdout.trim();
    };
    const attempt = (script: string): string => inProject('try', '-n', '-D', box, 'sh', '-c', script);
    attempt('echo 1 >file');
    const [id = ''] = inProject('ps', '-aq', '--root', box).split('\n');
    inProject('checkpoint', '--root', box, id);
    attempt('echo 2 >file; echo more >other');
    expect(attempt('cat file other')).toBe('2\nmore');
    inProject('rollback', '--root', box, id);
    expect(attempt('cat *')).toBe('1');
    expect(inProject('changes', '--root', box, '--stat', id)).toBe('1 added (+2 B)');
    inProject('rollback', '--root', box, '--all', id);
    expect(attempt('ls; touch last')).toBe('');
    inProject('discard', '--root', box, id);
    expect(inProject('ps', '-aq', '--root', box)).toBe('');
    expect(readdirSync(project)).toEqual([]);
  });

  test.skipIf(!LONG && kind !== 'an ordinary user with ids in /etc/subuid')('and of an image whose root the container has closed, or given away', (context) => {
    const who = USERS[kind](at);
    who.require(context);
    storeOf(at, who);
    succeeds(who, ['create', '--name', 'one', 'busybox']);
    const closed = kind === 'an ordinary user' ? 'chmod 555 /' : 'chmod 555 /; chown 7:7 /';
    succeeds(who, ['run', '--on', 'one', 'sh', '-c', `echo 1 >/file; ${closed}`]);
    const before = succeeds(who, ['changes', 'one']);
    const id = succeeds(who, ['checkpoint', 'one']);
    expect(succeeds(who, ['changes', 'one'])).toBe(before);
    succeeds(who, ['run', '--on', 'one', 'rm', '/file']);
    succeeds(who, ['fork', 'one', 'two']);
    succeeds(who, ['rollback', 'one', id]);
    expect(succeeds(who, ['changes', 'one'])).toBe(before);
    expect(succeeds(who, ['run', '--on', 'one', 'sh', '-c', 'cat /file; stat -c %a /'])).toBe('1\n555');
    succeeds(who, ['rm', 'one', 'two']);
  });
});
