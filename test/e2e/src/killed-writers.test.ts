import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import {
  allInTime,
  busyboxArchive,
  cgroupsOf,
  mountsBelow,
  requiresProgram,
  requiresRoot,
  type ScratchDirectory,
  SEED,
  sample,
  scratch,
} from '@lamella-test/scratch';
import { expect, test } from 'vitest';
import { CLI, cli } from './cli.js';

/** All points; else so many, spread evenly and others for each seed. */
const ALL = process.env.LAMELLA_LONG === '1';
const SHORT = 2;
/** Chooses the cases of a short run: the same ones each time, so that a failure is one of the change that is tested. */

/** Calls that change names or contents. Between two of them nothing changes for later commands. */
const CALLS = ['rename', 'renameat2', 'mkdir', 'mkdirat', 'unlink', 'unlinkat', 'rmdir', 'linkat', 'symlinkat', 'fsync', 'ftruncate', 'openat', 'write'];
/** Of calls that come by the hundred so many points stand for all. */
const MOST = 6;

interface Command {
  readonly what: string;
  readonly args: readonly string[];
  /** A file on stdin. */
  readonly input?: string;
  /** What gives the next try the same beginning. */
  readonly before?: readonly (readonly string[])[];
}

/** Each command that writes, on an image called base and a container called box. Names of the user's directory are relative. */
const COMMANDS: readonly Command[] = [
  { what: 'load', args: ['load', 'image.tar'], before: [['rmi', 'loaded']] },
  { what: 'load -', args: ['load', '-'], input: 'image.tar.gz', before: [['rmi', 'loaded']] },
  { what: 'import', args: ['import', 'small.tar', 'imported'], before: [['rmi', 'imported']] },
  { what: 'import -', args: ['import', '-', 'imported'], input: 'small.tar', before: [['rmi', 'imported']] },
  { what: 'commit', args: ['commit', 'box', 'committed'], before: [['rmi', 'committed']] },
  { what: 'save -o', args: ['save', 'base', '-o', 'saved.tar'] },
  { what: 'export -o', args: ['export', 'box', '-o', 'exported.tar'] },
  { what: 'cp in', args: ['cp', 'image.tar', 'box:/tmp/copied'] },
  { what: 'cp out', args: ['cp', 'box:/etc/group', 'copied'] },
  { what: 'run', args: ['run', 'base', 'sh', '-c', 'echo x > /new'] },
  { what: 'create', args: ['create', '--name', 'second', 'base', 'true'], before: [['rm', '-f', 'second']] },
  { what: 'rename', args: ['rename', 'box', 'box'], before: [] },
  { what: 'tag', args: ['tag', 'base', 'tagged'], before: [['rmi', 'tagged']] },
  { what: 'rmi', args: ['rmi', 'tagged'], before: [['tag', 'base', 'tagged']] },
  { what: 'image prune', args: ['image', 'prune'] },
  { what: 'system check --repair', args: ['system', 'check', '--repair'] },
  { what: 'checkpoint', args: ['checkpoint', 'box'] },
];

interface Point {
  readonly command: Command;
  readonly syscall: string;
  readonly nth: number;
}

class Killing {
  readonly #at: ScratchDirectory;
  readonly #strace: string;
  readonly lamella: ReturnType<typeof cli>;
  readonly root: string;
  readonly home: string;

  constructor(at: ScratchDirectory, strace: string) {
    this.#at = at;
    this.#strace = strace;
    this.root = at.join('store');
    this.home = at.join('home');
    const here = cli(this.root);
    this.lamella = (args, options = {}) => here(args, { cwd: this.home, ...options });
  }

  /** Make what the commands work on. */
  prepare(): void {
    mkdirSync(this.home);
    mkdirSync(this.#at.join('tmp'));
    this.well(['import', busyboxArchive(), 'base']);
    writeFileSync(path.join(this.home, 'note'), 'of the user');
    spawnSync('tar', ['-cf', 'small.tar', 'note'], { cwd: this.home });
    this.well(['import', 'small.tar', 'loaded']);
    this.well(['save', 'loaded', '-o', 'image.tar']);
    this.well(['rmi', 'loaded']);
    spawnSync('gzip', ['-k', 'image.tar'], { cwd: this.home });
    this.well(['create', '--name', 'box', 'base', 'sh', '-c', 'echo changed > /etc/group']);
    this.well(['start', '-a', 'box']);
  }

  well(args: readonly string[]): void {
    const { status, stderr } = this.lamella(args);
    expect([args, status, stderr]).toEqual([args, 0, expect.any(String)]);
  }

  /** Run a command under strace. @returns its log, when it is asked for */
  under(options: readonly string[], { args, input, before = [] }: Command): void {
    for (const each of before) this.lamella(each);
    const stdin = input === undefined ? 'ignore' : openSync(path.join(this.home, input), 'r');
    spawnSync(this.#strace, ['-f', '--seccomp-bpf', '-qq', ...options, CLI, ...args], {
      cwd: this.home,
      stdio: [stdin, 'ignore', 'ignore'],
      timeout: 60_000,
      env: { ...process.env, LAMELLA_NODE: process.execPath, LAMELLA_ROOT: this.root, NODE_NO_WARNINGS: '1', TMPDIR: this.#at.join('tmp') },
    });
    if (typeof stdin === 'number') closeSync(stdin);
  }

  pointsOf(command: Command): Point[] {
    const log = this.#at.join('trace');
    this.under(['-e', `trace=${CALLS.join(',')}`, '-o', log], command);
    const counts = new Map<string, Map<string, number>>();
    for (const line of readFileSync(log, 'latin1').split('\n')) {
      const [, pid, syscall] = /^(\d+) +(\w+)\(/.exec(line) ?? [];
      // Most of what is opened is read.
      if (pid === undefined || syscall === undefined || (syscall === 'openat' && !/O_CREAT|O_TMPFILE/.test(line))) continue;
      const byPid = counts.get(syscall) ?? new Map<string, number>();
      counts.set(syscall, byPid.set(pid, (byPid.get(pid) ?? 0) + 1));
    }
    return [...counts].flatMap(([syscall, byPid]) => {
      const most = Math.max(...byPid.values());
      const count = Math.min(most, MOST);
      return Array.from({ length: count }, (_, i) => ({ command, syscall, nth: 1 + Math.floor((i * most) / count) }));
    });
  }

  /** What there is of ours beside what the commands are for: nothing may be left of a killed one after the next commands. */
  left(): string[] {
    const hidden = (directory: string): string[] =>
      namesIn(directory)
        .filter((name) => name.startsWith('.'))
        .map((name) => `${directory}/${name}`);
    return [
      ...['.', 'layers', 'images', 'images/blobs/sha256', 'imports', 'chains', 'rebased', 'frozen', 'applied'].flatMap((each) =>
        hidden(path.join(this.root, each)),
      ),
      ...namesIn(path.join(this.root, 'locks')).filter((name) => name.startsWith('.')),
      ...namesIn(this.#at.join('tmp')),
      ...namesIn(this.home).filter((name) => !/^(?:note|small\.tar|image\.tar(?:\.gz)?|saved\.tar|exported\.tar|copied)$/.test(name)),
      ...(namesIn(path.join(this.root, 'containers')).filter((name) => !name.startsWith('.')).length > 2 ? ['a container'] : []),
      ...namesIn(path.join(this.root, 'layers')).flatMap((layer) => hidden(path.join(this.root, 'layers', layer))),
      ...mountsBelow(this.#at.path),
      ...cgroupsOf(this.root),
    ];
  }
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' || (error as NodeJS.ErrnoException).code === 'ENOTDIR') return [];
    throw error;
  }
}

test('whichever call kills a command that writes, the next commands leave nothing of it', { timeout: ALL ? 14_400_000 : 300_000 }, async (context) => {
  requiresRoot(context);
  const strace = requiresProgram(context, 'strace');
  await using at = scratch('tmpfs');
  const killing = new Killing(at, strace);
  killing.prepare();
  const points = (ALL ? COMMANDS : sample(COMMANDS, SHORT)).flatMap((command) => {
    const all = killing.pointsOf(command);
    return ALL ? all : sample(all, 1);
  });
  const failures: string[] = [];
  let tried = 0;
  for (const { command, syscall, nth } of allInTime(points)) {
    tried++;
    killing.under(['-e', `trace=${syscall}`, '-e', `inject=${syscall}:signal=KILL:when=${nth}`, '-o', '/dev/null'], command);
    // What any user does next: a run sweeps, and so does a prune.
    const run = killing.lamella(['run', 'base', 'cat', '/etc/group']);
    killing.lamella(['sweep']);
    killing.lamella(['image', 'prune']);
    const check = killing.lamella(['system', 'check', '--quick']);
    const found = killing.left();
    if (run.status !== 0 || check.status !== 0 || found.length)
      failures.push(`${command.what}, ${syscall} number ${nth}: ${JSON.stringify({ found, run: run.stderr, check: check.stdout })}`);
    for (const name of ['saved.tar', 'exported.tar', 'copied']) rmSync(path.join(killing.home, name), { force: true });
  }
  process.stderr.write(`killed writers: ${tried} of ${points.length} points\n`);
  expect(failures, `with LAMELLA_SEED=${SEED}`).toEqual([]);
  expect(tried).toBeGreaterThan(0);
});
