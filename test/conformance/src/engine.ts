import { spawnSync } from 'node:child_process';
import { globSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { OCI_RUNTIME, type ScratchDirectory } from '@lamella-test/scratch';

/** The output of a command of an engine, and how it ended. */
export interface Said {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Returns the path of the runtime, after one run as after an installation, in which it remembers its Node. Engines start it with an
 * environment of their choice.
 */
export function runtime(): string {
  spawnSync(OCI_RUNTIME, ['--version'], { env: { PATH: path.dirname(process.execPath) } });
  return OCI_RUNTIME;
}

/** Returns an environment whose PATH begins with a `node` that does not work. */
export function brokenNodeFirst(at: ScratchDirectory): NodeJS.ProcessEnv {
  mkdirSync(at.join('broken'), { recursive: true });
  writeFileSync(at.join('broken/node'), '#!/bin/sh\necho "a node that is too old" >&2\nexit 77\n', { mode: 0o755 });
  const { LAMELLA_NODE: _, ...env } = process.env;
  return { ...env, PATH: `${at.join('broken')}:${process.env.PATH}` };
}

/** Engines leave the cgroups above those of their containers: whatever is empty of a name goes. */
export function removeCgroups(name: string): void {
  for (const top of globSync([`/sys/fs/cgroup/${name}`, `/sys/fs/cgroup/*/${name}`])) {
    // podman writes files, too, where a controller it expects is not mounted; those of a cgroup cannot be removed.
    spawnSync('find', [top, '-type', 'f', '-delete'], { stdio: 'ignore' });
    spawnSync('find', [top, '-depth', '-type', 'd', '-exec', 'rmdir', '{}', ';'], { stdio: 'ignore' });
  }
}

/** Calls of one command, with what goes before every call. */
export function engine(command: string, before: readonly string[], env: NodeJS.ProcessEnv = process.env): (...args: string[]) => Said {
  return (...args) =>
    spawnSync(command, [...before, ...args], { encoding: 'utf8', env, timeout: 60_000, killSignal: 'SIGKILL', stdio: ['ignore', 'pipe', 'pipe'] });
}
