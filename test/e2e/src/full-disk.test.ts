import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { allInTime, busyboxArchive, requiresRoot, type ScratchDirectory, SEED, sample, scratch } from '@lamella-test/scratch';
import { describeTree } from '@lamella-test/tree';
import { expect, type TestContext, test } from 'vitest';
import { CLI, type Outcome } from './cli.js';

/** All levels and commands; else so many, spread evenly and others for each seed. */
const ALL = process.env.LAMELLA_LONG === '1';
const SHORT = 3;
/** Chooses the cases of a short run: the same ones each time, so that a failure is one of the change that is tested. */

/** So much is free when a command begins: names (inodes), or kilobytes. */
const LEVELS: readonly (readonly [what: 'names' | 'kilobytes', free: number])[] = [
  ...[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12].map((free) => ['names', free] as const),
  ...[0, 4, 8, 16, 64, 512, 2000, 3000, 4000, 5000, 8000].map((free) => ['kilobytes', free] as const),
];

interface Command {
  readonly args: readonly string[];
  readonly input?: string;
  /** What takes away what it made. */
  readonly undo?: readonly (readonly string[])[];
}

const COMMANDS: readonly Command[] = [
  { args: ['commit', 'box', 'committed'], undo: [['rmi', 'committed']] },
  { args: ['commit', 'live', 'committed'], undo: [['rmi', 'committed']] },
  { args: ['load', 'image.tar'], undo: [['rmi', 'loaded']] },
  { args: ['load', '-'], input: 'image.tar', undo: [['rmi', 'loaded']] },
  { args: ['load', '-'], input: 'image.tar.gz', undo: [['rmi', 'loaded']] },
  { args: ['import', 'image.tar', 'imported'], undo: [['rmi', 'imported']] },
  { args: ['import', '-', 'imported'], input: 'image.tar.gz', undo: [['rmi', 'imported']] },
  { args: ['tag', 'base', 'tagged'], undo: [['rmi', 'tagged']] },
  { args: ['cp', 'image.tar', 'box:/tmp/copied'], undo: [] },
  { args: ['cp', '-', 'box:/tmp'], input: 'image.tar', undo: [] },
  { args: ['create', '--name', 'second', 'base', 'true'], undo: [['rm', '-f', 'second']] },
  { args: ['run', 'base', 'true'] },
  { args: ['checkpoint', 'box'] },
  { args: ['save', 'base', '-o', 'full/saved.tar'] },
  { args: ['export', 'box', '-o', 'full/exported.tar'] },
  { args: ['cp', 'box:/big', 'full/copied'] },
  { args: ['logs', 'box'] },
  { args: ['system', 'check', '--repair'] },
];

class FullDisk implements AsyncDisposable {
  readonly at: ScratchDirectory;
  readonly store: string;
  readonly home: string;

  constructor(at: ScratchDirectory) {
    this.at = at;
    this.store = at.join('disk/store');
    this.home = at.join('home');
    mkdirSync(at.join('disk'));
    mkdirSync(this.home);
    this.#mount(['-t', 'tmpfs', '-o', 'size=200m', 'lamella-full', at.join('disk')]);
    mkdirSync(this.store);
    mkdirSync(at.join('disk/full'));
    spawnSync('ln', ['-s', at.join('disk/full'), path.join(this.home, 'full')]);
    this.well(['import', busyboxArchive(), 'base']);
    writeFileSync(path.join(this.home, 'note'), Buffer.alloc(2_000_000, 'of the user'));
    spawnSync('tar', ['-cf', 'small.tar', 'note'], { cwd: this.home });
    this.well(['import', 'small.tar', 'loaded']);
    this.well(['save', 'loaded', '-o', 'image.tar']);
    this.well(['rmi', 'loaded']);
    spawnSync('gzip', ['-k', 'image.tar'], { cwd: this.home });
    this.well(['create', '--name', 'box', 'base', 'sh', '-c', 'head -c 1500000 /dev/urandom > /big']);
    this.well(['start', '-a', 'box']);
    this.well(['run', '-d', '--name', 'live', 'base', 'sh', '-c', 'head -c 1500000 /dev/urandom > /big; exec sleep 100000']);
  }

  #mount(args: readonly string[]): void {
    const { status, stderr } = spawnSync('mount', args, { encoding: 'utf8' });
    expect([args, status, stderr]).toEqual([args, 0, '']);
  }

  lamella(args: readonly string[], input?: string): Outcome & { readonly killed: boolean } {
    const { status, signal, stdout, stderr } = spawnSync(CLI, args, {
      cwd: this.home,
      encoding: 'utf8',
      input: input === undefined ? '' : readFileSync(path.join(this.home, input)),
      // It ends in seconds, or never.
      timeout: 60_000,
      killSignal: 'SIGKILL',
      env: { ...process.env, LAMELLA_NODE: process.execPath, LAMELLA_ROOT: this.store, NODE_NO_WARNINGS: '1' },
    });
    return { status, stdout, stderr, killed: signal !== null };
  }

  well(args: readonly string[]): void {
    const { status, stderr } = this.lamella(args);
    expect([args, status, stderr]).toEqual([args, 0, expect.any(String)]);
  }

  /** Leave so much free. */
  fill(what: 'names' | 'kilobytes', free: number): void {
    const { blocks, bfree, bsize, files, ffree } = statfsSync(this.at.join('disk'));
    const limit = what === 'names' ? `nr_inodes=${files - ffree + free}` : `size=${((blocks - bfree) * bsize) / 1024 + free}k`;
    this.#mount(['-o', `remount,${limit}`, this.at.join('disk')]);
  }

  empty(): void {
    this.#mount(['-o', 'remount,size=200m,nr_inodes=100000', this.at.join('disk')]);
  }

  /** All that is not a record of what went on. */
  async describe(): Promise<readonly string[]> {
    const tree = await describeTree(this.at.join('disk'));
    return [...tree]
      .filter(([name]) => !/^(?:\.$|store\/(?:locks|containers|frozen))/.test(name))
      .map(([name, { type, content }]) => `${name} ${type} ${content}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.empty();
    this.lamella(['rm', '-f', 'live', 'box']);
    spawnSync('umount', ['-l', this.at.join('disk')]);
  }
}

function pick<Item>(items: readonly Item[], count: number): Iterable<Item> {
  return ALL ? allInTime(items) : sample(items, count);
}

test('on a full disk every command ends with an error that says so, and leaves nothing', {
  timeout: ALL ? 14_400_000 : 300_000,
}, async (context: TestContext) => {
  requiresRoot(context);
  await using at = scratch();
  await using disk = new FullDisk(at);
  const before = await disk.describe();
  const cases = COMMANDS.flatMap((command) => LEVELS.map((level) => ({ command, level })));
  const failures: string[] = [];
  const outcomes = { full: 0, enough: 0 };
  for (const {
    command: { args, input, undo = [] },
    level: [what, free],
  } of pick(cases, SHORT)) {
    disk.fill(what, free);
    const { status, stdout, stderr, killed } = disk.lamella(args, input);
    disk.empty();
    outcomes[status === 0 ? 'enough' : 'full']++;
    const name = `${args.join(' ')} with ${free} ${what} free`;
    const says = /no space|no more|ENOSPC|cannot be made|quota/i.test(stdout + stderr) && !/internal error/.test(stderr);
    if (killed || (status !== 0 && !says)) failures.push(`${name}: ${killed ? 'it hangs' : `${status} ${stderr}`}`);
    if (status === 0) for (const each of undo) disk.well(each);
    // What came before the end of a copy stays, as with cp(1); an archive is there whole or not at all.
    for (const file of ['copied', ...(status === 0 ? ['saved.tar', 'exported.tar'] : [])]) rmSync(at.join('disk/full', file), { force: true });
    disk.lamella(['rm', '-f', 'second']);
    disk.lamella(['image', 'prune']);
    disk.well(['run', 'base', 'true']);
    const check = disk.lamella(['system', 'check', '--quick']);
    const now = await disk.describe();
    const left = [...now.filter((line) => !before.includes(line)), ...before.filter((line) => !now.includes(line)).map((line) => `gone: ${line}`)].filter(
      (line) => !/store\/(?:images\/index\.json|imports)/.test(line),
    );
    if (check.status !== 0 || left.length) failures.push(`${name}: ${check.stdout} ${left.join(', ')}`);
  }
  process.stderr.write(`full disk: ${outcomes.full} commands found it full, ${outcomes.enough} had enough\n`);
  expect(failures, `with LAMELLA_SEED=${SEED}`).toEqual([]);
});
