import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestContext } from 'vitest';
import { type ScratchDirectory, scratch } from './directory.js';
import { requiresProgram, requiresRoot, skip } from './requires.js';

/** statfs(2) */
const OVERLAYFS = 0x794c7630;

/** Whether that is so where tests have their directories. */
export function hasOverlayUppers(): boolean {
  return statfsSync(tmpdir()).type !== OVERLAYFS;
}

/** Skip a test of what only the kernel's own overlays can. */
export function requiresOverlayUppers(context: TestContext): void {
  if (!hasOverlayUppers()) skip(context, `overlayfs has no uppers in ${tmpdir()}, and fuse-overlayfs does not do that`);
}

/** A scratch directory on an overlay, where the kernel's overlayfs cannot have uppers, and fuse-overlayfs joins the layers. */
export async function scratchOnOverlay(context: TestContext, on: 'disk' | 'tmpfs' = 'disk'): Promise<ScratchDirectory> {
  requiresRoot(context);
  requiresProgram(context, 'fuse-overlayfs');
  await using cleanup = new AsyncDisposableStack();
  const below = cleanup.use(scratch(on));
  // For any user that a test runs as.
  chmodSync(below.path, 0o755);
  const [lower, upper, work, merged] = ['lower', 'upper', 'work', 'merged'].map((name) => below.join(name)) as [string, string, string, string];
  for (const each of [lower, upper, work, merged]) mkdirSync(each);
  const mounted = spawnSync('mount', ['-t', 'overlay', 'overlay', '-o', `lowerdir=${lower},upperdir=${upper},workdir=${work}`, merged], { encoding: 'utf8' });
  if (mounted.status !== 0) throw new Error(`an overlay cannot be mounted: ${mounted.stderr}`);
  cleanup.defer(() => {
    const unmounted = spawnSync('umount', [merged], { encoding: 'utf8' });
    if (unmounted.status !== 0) throw new Error(unmounted.stderr);
  });
  const owned = cleanup.move();
  return { path: merged, join: (...parts) => path.join(merged, ...parts), [Symbol.asyncDispose]: () => owned.disposeAsync() };
}
