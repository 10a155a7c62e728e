import { mkdirSync, readdirSync, readFileSync, readlinkSync, realpathSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Containers, ImageStore } from '@lamella/engine';
import { busyboxArchive, requiresProgram, type ScratchDirectory, scratch } from '@lamella-test/scratch';
import { ociLayout, tarArchive } from '@lamella-test/tree';
import { afterAll, afterEach, beforeAll, expect, type TestContext, test } from 'vitest';
import { CLI } from './cli.js';
import { requiresContainers } from './rights.js';
import { type Terminal, terminal } from './terminal.js';

let at: ScratchDirectory;
let open: Terminal | undefined;
beforeAll(async () => {
  at = scratch();
  await new ImageStore(at.join('store')).import(busyboxArchive(), 'busybox');
});
afterEach(() => open?.close());
afterAll(() => at[Symbol.asyncDispose]());

/** @param before what writes into its stdin, as a shell has it */
function lamella(context: TestContext, args: string, before = ''): Terminal {
  requiresContainers(context);
  open = terminal(requiresProgram(context, 'tmux'), `${before} LAMELLA_ROOT=${at.join('store')} ${process.execPath} ${CLI} ${args}`);
  return open;
}

const containers = (): string[] => readdirSync(at.join('store/containers')).filter((name) => !name.startsWith('.'));

/** What stty says of a terminal that behaves: lines are edited, echoed, and Ctrl-C interrupts. */
const SANE = /isig icanon echo/;

test('a shell has a terminal of its own: its size, Ctrl-C, Ctrl-D, and what was there before is restored', async (context) => {
  const shell = lamella(context, 'run -it busybox sh');
  await shell.until(/\/ # $/);
  shell.type('tty; stty size; test -t 0 && echo in');
  await shell.until(/\/dev\/pts\/0\n30 100\nin\n/);
  shell.resize(80, 24);
  await new Promise((resolve) => setTimeout(resolve, 200));
  shell.type('stty size');
  await shell.until(/24 80\n/);
  // What is pressed before a program runs goes to the shell.
  shell.type("sh -c 'echo going; exec sleep 100'");
  await shell.until(/\ngoing\n/);
  shell.press('C-c');
  shell.type('echo "still $((40 + 2))"');
  await shell.until(/still 42\n/);
  shell.press('C-d');
  expect(await shell.until(/status 0\n.*echo/)).toMatch(SANE);
});

test('job control works: Ctrl-Z stops, fg goes on', async (context) => {
  const shell = lamella(context, 'run -it busybox sh');
  await shell.until(/\/ # $/);
  shell.type("sh -c 'echo going; exec sleep 1000'");
  await shell.until(/\ngoing\n/);
  shell.press('C-z');
  await shell.until(/Stopped/);
  shell.type('kill -9 %1; sleep 0.1; echo "now $((1 + 1))"');
  await shell.until(/now 2\n/);
  shell.type('fg');
  shell.type('exit 4');
  await shell.until(/status 4/);
});

test('a terminal is left, come back to, and shared; exec has one of its own beside it', async (context) => {
  const shell = lamella(context, 'run -it --name shared busybox sh');
  await shell.until(/\/ # $/);
  shell.type('echo before > /note');
  shell.press('C-p', 'C-q');
  expect(await shell.until(/status 0\n.*echo/)).toMatch(SANE);
  expect(shell.screen()).toContain('Attach again: lamella attach shared');
  shell.close();
  const second = lamella(context, 'attach shared');
  await new Promise((resolve) => setTimeout(resolve, 500));
  second.type('cat /note; stty size');
  await second.until(/before\n30 100\n/);
  second.resize(90, 20);
  await new Promise((resolve) => setTimeout(resolve, 300));
  second.type('stty size');
  await second.until(/20 90\n/);
  const beside = terminal(requiresProgram(context, 'tmux'), `LAMELLA_ROOT=${at.join('store')} ${process.execPath} ${CLI} exec -it shared sh`);
  try {
    await beside.until(/\/ # $/);
    beside.type('tty; cat /note; cat /proc/1/comm');
    await beside.until(/\/dev\/pts\/1\nbefore\nsh\n/);
    beside.type("sh -c 'echo going; exec sleep 100'");
    await beside.until(/\ngoing\n/);
    beside.press('C-c');
    beside.type('exit 6');
    expect(await beside.until(/status 6\n.*echo/)).toMatch(SANE);
    const third = terminal(
      requiresProgram(context, 'tmux'),
      `LAMELLA_ROOT=${at.join('store')} ${process.execPath} ${CLI} attach --detach-keys ctrl-x,x shared`,
    );
    try {
      await new Promise((resolve) => setTimeout(resolve, 500));
      third.type('echo "seen by $((1 + 1))"');
      await Promise.all([third.until(/seen by 2\n/), second.until(/seen by 2\n/)]);
      third.press('C-x', 'x');
      expect(await third.until(/status 0\n.*echo/)).toMatch(SANE);
    } finally {
      third.close();
    }
  } finally {
    beside.close();
  }
  second.type('exit 5');
  expect(await second.until(/status 5\n.*echo/)).toMatch(SANE);
  // What was run without --keep is thrown away, also when nobody was there at its end.
  for (let i = 0; i < 100 && containers().length; i++) await new Promise((resolve) => setTimeout(resolve, 20));
  expect(containers()).toEqual([]);
});

test('a terminal that nobody is at yet waits for whoever comes', async (context) => {
  const start = lamella(context, 'run -dit --name waiting busybox cat');
  await start.until(/status 0/);
  start.close();
  const visitor = lamella(context, 'attach waiting');
  await new Promise((resolve) => setTimeout(resolve, 500));
  visitor.type('hello');
  await visitor.until(/hello\nhello\n/);
  visitor.press('C-d');
  await visitor.until(/status 0/);
  await (await new Containers(at.join('store')).get('waiting')).remove();
});

test('a detached container survives the terminal it was started in', async (context) => {
  const shell = lamella(context, 'run -d --name survivor busybox sh -c "sleep 0.7; echo still here"');
  await shell.until(/status 0/);
  shell.close();
  const survivor = await new Containers(at.join('store')).get('survivor');
  expect((await survivor.state()).status).toBe('running');
  expect((await survivor.wait())?.exitCode).toBe(0);
  const lines: string[] = [];
  for await (const { content } of survivor.logs()) lines.push(content.toString());
  expect(lines).toEqual(['still here\n']);
  await survivor.remove();
});

test('whatever kills it, the terminal is as it was before', async (context) => {
  const shell = lamella(context, 'run -it --name victim busybox sh');
  await shell.until(/\/ # $/);
  const monitor = holderOf(realpathSync(at.join('store/containers/.names/victim/lock')));
  expect(readFileSync(`/proc/${monitor}/comm`, 'utf8')).toBe('lamella-init\n');
  process.kill(monitor ?? -1, 'SIGKILL');
  expect(await shell.until(/status 125\n.*echo/)).toMatch(SANE);
  expect(shell.screen()).toContain('the monitor was killed by SIGKILL');
});

test('without a terminal of ours, -t gives the container one all the same', async (context) => {
  const shell = lamella(context, "run -t busybox sh -c 'test -t 1 && stty size' < /dev/null | cat");
  await shell.until(/\d+ \d+\n+status 0/);
});

test('what is unpacked shows how far it is, and then only what came of it', async (context) => {
  const half = 700_000;
  // It comes in two halves, so that there is something to be seen in between.
  const slowly = `(head -c ${half} ${busyboxArchive()}; sleep 1; tail -c +${half + 1} ${busyboxArchive()}) |`;
  const shell = lamella(context, 'import - again', slowly);
  await shell.until(/^- \d.* [kM]B, .*\/s/m);
  expect(await shell.until(/status 0/)).toMatch(/^again:latest sha256:[0-9a-f]{64}\nstatus 0/);
});

test('layers that are loaded have bars, which go away', async (context) => {
  const shell = lamella(context, `load ${layout()} app`);
  expect(await shell.until(/status 0/)).toMatch(/^app:latest sha256:[0-9a-f]{64} \(2 layers, \d new\)\nstatus 0/);
});

function layout(): string {
  ociLayout(at.join('layout'), [readFileSync(busyboxArchive()), tarArchive([{ name: 'file', data: 'x' }])]);
  return at.join('layout');
}

/** The process that has a file open. */
function holderOf(file: string): number | undefined {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .find((pid) => descriptors(pid).includes(file));
}

function descriptors(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
  } catch (error) {
    // It ended while we looked, or is none of ours.
    if (['ENOENT', 'ESRCH', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')) return [];
    throw error;
  }
}

test('what was tried is shown, and applied one by one', async (context) => {
  const project = at.join('project');
  mkdirSync(path.join(project, 'old'), { recursive: true });
  writeFileSync(path.join(project, 'file'), 'first\n');
  const shell = lamella(context, `try sh -c 'tty; cd ${project}; echo second >> file; rmdir old; mkdir -p new/dir; exit 3'`);
  expect(await shell.until(/Apply the changes\? \[y\/n/)).toMatch(
    /\/dev\/pts\/0\nM \S+file {2}6 B -> 13 B\nA \S+new\/ {2}with 1 entry, 0 B\nD \S+old\/\n2 added, 1 modified, 1 deleted/,
  );
  shell.type('d');
  await shell.until(/\+second/);
  shell.type('e');
  await shell.until(/\(1\/3\) Apply this change/);
  shell.type('y');
  await shell.until(/\(2\/3\) Apply this change/);
  shell.type('?');
  await shell.until(/skip it and all following ones/);
  shell.type('n');
  await shell.until(/\(3\/3\) Apply this change/);
  shell.type('q');
  expect(await shell.until(/status 3\n.*echo/)).toMatch(SANE);
  expect(shell.screen()).toMatch(/Applied: 1 modified .*--undo (\w+)\nThe other changes are kept. Review them: lamella review \1/);
  expect(readFileSync(path.join(project, 'file'), 'utf8')).toBe('first\nsecond\n');
  expect(readdirSync(project)).toEqual(['file', 'old']);
  const [id = ''] = containers();
  open?.close();
  const again = lamella(context, `review ${id}`);
  await again.until(/Apply the changes\?/);
  again.type('n');
  await again.until(/Discarded\.\nstatus 0/);
  expect(containers()).toEqual([]);
});
