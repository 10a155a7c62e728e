import { type SpawnSyncOptions, spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import path from 'node:path';

/** The built CLI's entry: a program, or a script for `process.execPath` where no word is an option that Node looks for. */
export const CLI: string = path.join(path.dirname(createRequire(import.meta.url).resolve('lamella/package.json')), 'bin/lamella');

export interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Returns a CLI with a separate store. */
export function cli(root: string): (args: readonly string[], options?: SpawnSyncOptions) => Outcome {
  return (args, options = {}) => {
    const { status, stdout, stderr } = spawnSync(CLI, args, {
      ...options,
      env: { ...process.env, LAMELLA_NODE: process.execPath, LAMELLA_ROOT: root, NODE_NO_WARNINGS: '1', ...options.env },
      encoding: 'utf8',
    });
    return { status, stdout: String(stdout ?? ''), stderr: String(stderr ?? '') };
  };
}
