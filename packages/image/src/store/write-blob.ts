import { createHash } from 'node:crypto';
import { clearPlace } from './clear-place.js';
import { writeDurably } from './durable-file.js';
import type { OciDescriptor } from './oci-schema.js';
import type { StorePaths } from './store-paths.js';

/** Writes a document to the blobs, also over a damaged one. @returns its descriptor */
export async function writeBlob(paths: StorePaths, mediaType: string, content: Buffer): Promise<OciDescriptor> {
  const digest = `sha256:${createHash('sha256').update(content).digest('hex')}`;
  await clearPlace(paths.blob(digest));
  await writeDurably(paths.blob(digest), content);
  return { mediaType, digest, size: content.length };
}
