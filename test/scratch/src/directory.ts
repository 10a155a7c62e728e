import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** A directory of a test's own. Disposing removes it, and fails the test when a mount is left in it. */
export interface ScratchDirectory extends AsyncDisposable {
  /** Absolute path. */
  readonly path: string;
  join(...parts: string[]): string;
}

/** Make one on the disk, or on tmpfs (`/dev/shm`). */
export function scratch(on: 'disk' | 'tmpfs' = 'disk'): ScratchDirectory {
  const directory = mkdtempSync(path.join(on === 'tmpfs' ? '/dev/shm' : tmpdir(), 'lamella-test-'));
  return {
    path: directory,
    join: (...parts) => path.join(directory, ...parts),
    async [Symbol.asyncDispose]() {
      const left = mountsBelow(directory);
      for (const point of left.toReversed()) spawnSync('umount', ['-l', point]);
      // The kernel makes directories in a workdir which an ordinary user cannot look into.
      if (process.geteuid?.() !== 0) spawnSync('chmod', ['-R', 'u+rwX', directory]);
      rmSync(directory, { recursive: true, force: true, maxRetries: 3 });
      if (left.length) throw new Error(`mounts were left: ${left.join(', ')}`);
    },
  };
}

/** Mount points at or below a directory, as the kernel lists them for this process. */
export function mountsBelow(directory: string): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => (line.split(' ')[4] ?? '').replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))))
    .filter((point) => point === directory || point.startsWith(`${directory}/`));
}
