import { spawnSync } from 'node:child_process';
import { chmodSync, globSync, writeFileSync } from 'node:fs';
import { OCI_RUNTIME, type ScratchDirectory } from '@lamella-test/scratch';

/** The output of a command of an engine, and how it ended. */
export interface Said {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Engines take the path of a program: one that starts Node with the file. */
export function runtime(at: ScratchDirectory): string {
  const file = at.join('lamella-oci');
  writeFileSync(file, `#!/bin/sh\nexec ${process.execPath} ${OCI_RUNTIME} "$@"\n`);
  chmodSync(file, 0o755);
  return file;
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
export function engine(command: string, before: readonly string[]): (...args: string[]) => Said {
  return (...args) => spawnSync(command, [...before, ...args], { encoding: 'utf8', timeout: 60_000, killSignal: 'SIGKILL', stdio: ['ignore', 'pipe', 'pipe'] });
}
