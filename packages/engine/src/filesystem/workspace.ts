import { rmdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { unpackDirectory } from '@lamella/image';
import { ignoreMissing } from '@lamella/syscall';
import { EngineError } from '../model/engine-error.js';
import type { UnpackOptions } from '../model/unpack-options.js';
import { occupied } from './workspace-occupied.js';

const ARCHIVES = ['.tar', '.tar.gz', '.tgz', '.tar.zst', '.tar.xz'];
const OURS = ['upper', 'work', 'merged'];

/**
 * The image directory of a workspace, unpacked from its tar when it is not there yet.
 *
 * @returns its absolute path
 * @throws EngineError `WORKSPACE_INVALID`, `WORKSPACE_NO_IMAGE`, `WORKSPACE_OCCUPIED`
 */
export async function workspaceImage(workspace: string, image: string, options: UnpackOptions = {}): Promise<string> {
  if (!(await isDirectory(workspace)))
    throw new EngineError({
      code: 'WORKSPACE_INVALID',
      message: `the workspace ${workspace} is not a directory`,
      hint: 'Make it, and put the tar of an image there.',
    });
  if (image.includes('/') || image.startsWith('.') || OURS.includes(image))
    throw new EngineError({
      code: 'WORKSPACE_INVALID',
      message: `'${image}' is not the name of an image in a workspace`,
      hint: `For DIR/busybox.tar it is busybox.`,
    });
  await refuseForeign(workspace);
  const directory = path.join(workspace, image);
  if (await isDirectory(directory)) return directory;
  for (const ending of ARCHIVES) {
    const archive = `${directory}${ending}`;
    const found = await stat(archive).catch(ignoreMissing);
    if (!found) continue;
    const { onProgress } = options;
    await unpackDirectory(archive, directory, {
      ...(options.signal ? { signal: options.signal } : {}),
      ...(onProgress ? { onProgress: (progress) => onProgress({ ...progress, total: found.size }) } : {}),
    });
    return directory;
  }
  throw new EngineError({
    code: 'WORKSPACE_NO_IMAGE',
    message: `${workspace} has neither ${image}.tar nor the directory ${image}`,
    hint: `Put the tar of a root filesystem there (also ${ARCHIVES.slice(1).join(', ')}).`,
  });
}

/** Refuses to remove what other programs put where the run wants to write; empty directories make way. */
async function refuseForeign(workspace: string): Promise<void> {
  for (const name of OURS) {
    const place = path.join(workspace, name);
    try {
      await rmdir(place);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') continue;
      throw occupied(place);
    }
  }
}

async function isDirectory(file: string): Promise<boolean> {
  return (await stat(file).catch(ignoreMissing))?.isDirectory() ?? false;
}
