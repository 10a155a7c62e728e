import { mkdir, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { CLONE, MS, mapSingleId, type Program, removeScratch, run, SyscallError } from '@lamella/syscall';
import { type OverlayMethod, overlayMount } from './overlay-mount.js';
import type { OverlayOptions } from './stack.js';

/** What this kernel's overlayfs can do for this user, each tried by mounting. */
export interface OverlayFeatures {
  /** An overlay can be mounted here at all (in a user namespace, for an ordinary user). */
  readonly overlay: boolean;
  readonly userxattr: boolean;
  readonly index: boolean;
  readonly metacopy: boolean;
  readonly volatile: boolean;
  readonly xino: boolean;
  /** `fsconfig("lowerdir+")`, since 6.7. */
  readonly lowerdirPlus: boolean;
}

/**
 * Tries each feature on a small stack below `directory` (absolute; default: the temporary
 * directory), in mount namespaces which end with the attempt. Nothing stays.
 */
export async function probeFeatures(directory: string = tmpdir()): Promise<OverlayFeatures> {
  const scratch = await mkdtemp(path.join(directory, 'lamella-probe-'));
  try {
    const names = ['overlay', 'userxattr', 'index', 'metacopy', 'volatile', 'xino', 'lowerdirPlus'] as const;
    const root = process.geteuid?.() === 0;
    const options: Record<(typeof names)[number], OverlayOptions> = {
      overlay: root ? {} : { userxattr: true },
      userxattr: { userxattr: true },
      index: { index: true },
      metacopy: { metacopy: true },
      volatile: { volatile: true, ...(root ? {} : { userxattr: true }) },
      xino: { xino: 'on', ...(root ? {} : { userxattr: true }) },
      lowerdirPlus: root ? {} : { userxattr: true },
    };
    const attempts = await Promise.allSettled(
      names.map(async (name) => {
        const at = path.join(scratch, name);
        const method: OverlayMethod = name === 'lowerdirPlus' ? 'lowerdir+' : 'mount';
        return [name, await tryMount(at, options[name], method, root)] as const;
      }),
    );
    // All have ended: what is removed now is not being made any more.
    const results = attempts.map((attempt) => {
      if (attempt.status === 'rejected') throw attempt.reason;
      return attempt.value;
    });
    return Object.fromEntries(results) as unknown as OverlayFeatures;
  } finally {
    await removeScratch(scratch);
  }
}

async function tryMount(at: string, options: OverlayOptions, method: OverlayMethod, root: boolean): Promise<boolean> {
  const [lower, upper, work, merged] = ['lower', 'upper', 'work', 'merged'].map((name) => path.join(at, name)) as [string, string, string, string];
  for (const directory of [lower, upper, work, merged]) await mkdir(directory, { recursive: true });
  const ops: Program = [
    { op: 'unshare', flags: CLONE.NEWNS | (root ? 0 : CLONE.NEWUSER) },
    ...(root ? [] : mapSingleId({ uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 })),
    { op: 'mount', source: null, target: '/', filesystemtype: null, mountflags: MS.REC | MS.PRIVATE, data: null },
    ...overlayMount({ lowerdirs: [lower], upperdir: upper, workdir: work, merged, options }, method),
  ];
  try {
    await run(ops, { stdio: ['ignore', 'ignore', 'ignore'] });
    return true;
  } catch (error) {
    if (error instanceof Error && 'syscall' in error) return false;
    throw error;
  }
}

let lowerdirPlus: Promise<boolean> | undefined;

/** A layer that no kernel finds. */
const NO_LAYER = '/proc/self/no-such-layer';

/**
 * Returns whether the kernel takes one layer per call; probed once per process. Before 6.5 overlayfs looks at options when the mount is made
 * only, and takes any; a kernel that supports it looks for the layer at once.
 */
export function hasLowerdirPlus(): Promise<boolean> {
  lowerdirPlus ??= (async () => {
    try {
      await run(
        [
          { op: 'unshare', flags: CLONE.NEWNS | (process.geteuid?.() === 0 ? 0 : CLONE.NEWUSER) },
          { op: 'fsopen', fsname: 'overlay', flags: 1, out: 5 },
          { op: 'fsconfig', fd: 5, cmd: 1, key: 'lowerdir+', value: NO_LAYER, aux: -1 },
        ],
        { stdio: ['ignore', 'ignore', 'ignore'] },
      );
      return false;
    } catch (error) {
      if (error instanceof SyscallError) return error.op.op === 'fsconfig' && error.code === 'ENOENT';
      throw error;
    }
  })();
  return lowerdirPlus;
}
