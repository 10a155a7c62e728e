import { createHash } from 'node:crypto';
import { lstatSync, utimesSync } from 'node:fs';
import { FileError, kindOf, streamRegular } from '@lamella/syscall';
import { ImageError } from '../model/image-error.js';
import { readManifest } from '../store/image-documents.js';
import type { OciDescriptor, OciIndex } from '../store/oci-schema.js';
import { readIndex } from '../store/store-index.js';
import type { StorePaths } from '../store/store-paths.js';

/**
 * What is wrong with a blob; undefined when nothing is.
 *
 * @param since milliseconds since the epoch: one that was not touched since then is not read. Default: it is read
 */
export async function blobProblem(file: string, { digest, size }: Pick<OciDescriptor, 'digest' | 'size'>, since = 0): Promise<string | undefined> {
  const stat = lstatSync(file, { throwIfNoEntry: false });
  if (!stat) return 'it is missing';
  if (!stat.isFile()) return `it is ${kindOf(stat)}, not a regular file`;
  if (stat.size !== size) return `it has ${stat.size} bytes instead of ${size}`;
  if (Math.max(stat.ctimeMs, stat.mtimeMs) <= since) return undefined;
  try {
    const is = await digestOf(file);
    return is === digest ? undefined : `its content is ${is}`;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    // What went away or became something else meanwhile is as good as missing; the rest is the disk's.
    if (error instanceof FileError || code === 'EIO') return `it cannot be read: ${message}`;
    throw error;
  }
}

/** Makes the next use of a blob check its content first ({@link blobProblem}), though the file looks untouched. */
export function distrustBlob(file: string): void {
  const stat = lstatSync(file, { throwIfNoEntry: false });
  const now = new Date();
  if (stat?.isFile()) utimesSync(file, now, now);
}

/** The digest of a regular file's content. */
async function digestOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of await streamRegular(file, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  return `sha256:${hash.digest('hex')}`;
}

/**
 * When blobs were known to be what their names say: they are put in their places, and after them the manifest that refers to them. By
 * digest, in milliseconds since the epoch. What only damaged images refer to is not in it.
 */
export function publishedTimes(paths: StorePaths, { manifests }: OciIndex = readIndex(paths)): ReadonlyMap<string, number> {
  const times = new Map<string, number>();
  for (const descriptor of manifests) {
    try {
      const manifest = readManifest(paths, descriptor);
      const published = lstatSync(paths.blob(descriptor.digest)).ctimeMs;
      for (const { digest } of manifest.layers) times.set(digest, Math.min(published, times.get(digest) ?? published));
    } catch (error) {
      if (!(error instanceof ImageError) || error.code !== 'STORE_CORRUPT') throw error;
    }
  }
  return times;
}
