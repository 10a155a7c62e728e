import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { ImageStore } from '@lamella/engine';
import { busyboxArchive, mountsBelow, type ScratchDirectory, scratch, until } from '@lamella-test/scratch';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CLI, cli } from './cli.js';
import { requiresContainers } from './rights.js';

let at: ScratchDirectory;
beforeAll(async () => {
  at = scratch();
  await new ImageStore(at.join('store')).import(busyboxArchive(), 'busybox');
  mkdirSync(at.join('work'));
  copyFileSync(busyboxArchive(), at.join('work/busybox.tar'));
});
afterAll(() => at[Symbol.asyncDispose]());

interface Family {
  readonly cli: number;
  readonly monitor: number;
  readonly init: number;
}

const children = (pid: number): number[] =>
  existsSync(`/proc/${pid}`) ? readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number) : [];
const isInit = (pid: number): boolean => /^NSpid:.*\t1$/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
const alive = (pid: number): boolean => existsSync(`/proc/${pid}`) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));

/** Kill a process. The next of several victims may have ended already: each ends when the one above it is gone. */
function killIfAlive(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Start a run that would go on for long, and find its processes. */
async function start(flags: readonly string[]): Promise<Family> {
  const child = spawn(process.execPath, [CLI, 'run', ...flags, 'busybox', 'sh', '-c', 'echo x > /written; echo ready; sleep 1000 & sleep 1000'], {
    env: { ...process.env, LAMELLA_ROOT: at.join('store') },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  await once(child.stdout, 'data');
  // Beside it there may be, for a while, the process that held locks.
  const monitor = children(child.pid ?? 0).find((pid) => children(pid).length) ?? 0;
  // Where fuse-overlayfs joins the layers it is a child, too.
  const init = children(monitor).find(isInit) ?? 0;
  return { cli: child.pid ?? 0, monitor, init };
}

const containers = (): string[] => readdirSync(at.join('store/containers')).filter((name) => !name.startsWith('.'));

describe.for([
  ['its mounts in its own namespace', () => []],
  ['a workspace on the host', () => ['--workspace', at.join('work')]],
] as const)('a run with %s', ([, flags]) => {
  test.for<[string, (keyof Family)[], boolean]>([
    ['the CLI', ['cli'], true],
    ['the init', ['init'], true],
    ['the monitor', ['monitor'], false],
    ['the CLI and the monitor', ['cli', 'monitor'], false],
    ['the monitor and the init', ['monitor', 'init'], false],
    ['all three', ['cli', 'monitor', 'init'], false],
  ])('when %s is killed, nothing is left', async ([, victims, atOnce], context) => {
    requiresContainers(context);
    const family = await start(flags());
    const everybody = [...Object.values(family), ...children(family.monitor), ...children(family.init)];
    expect(everybody.every((pid) => pid > 0 && alive(pid))).toBe(true);
    for (const victim of victims) killIfAlive(family[victim]);
    // No process stays, whichever was killed: each watches the one above it.
    await until(() => everybody.every((pid) => !alive(pid)));
    // Mounts of a namespace go with it; a mount on the host, and directories, at the latest with the next command.
    if (atOnce) await until(() => containers().length === 0);
    else if (!flags().length) expect(mountsBelow(at.path)).toEqual([]);
    expect(cli(at.join('store'))(['run', 'busybox', 'true']).status).toBe(0);
    expect([containers(), mountsBelow(at.path), readdirSync(at.join('work')).filter((name) => !name.startsWith('busybox'))]).toEqual([[], [], []]);
    expect(existsSync(at.join('work/busybox/written'))).toBe(false);
  });
});
