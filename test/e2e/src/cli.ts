import { type SpawnSyncOptions, spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import path from 'node:path';

/** The built CLI's entry, to be run by `process.execPath`. */
export const CLI: string = path.join(path.dirname(createRequire(import.meta.url).resolve('lamella/package.json')), 'bin/lamella.cjs');

export interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A CLI with a store of its own. */
export function cli(root: string): (args: readonly string[], options?: SpawnSyncOptions) => Outcome {
  return (args, options = {}) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, ...args], {
      ...options,
      env: { ...process.env, LAMELLA_ROOT: root, NODE_NO_WARNINGS: '1', ...options.env },
      encoding: 'utf8',
    });
    return { status, stdout: String(stdout ?? ''), stderr: String(stderr ?? '') };
  };
}
