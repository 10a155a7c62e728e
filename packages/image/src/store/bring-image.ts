import { createHash } from 'node:crypto';
import { closeSync, existsSync, openSync, readSync, statSync } from 'node:fs';
import path from 'node:path';
import { detectCompression } from '../compression.js';
import { ImageError } from '../image-error.js';
import { parseLocation, type SourceLocation } from '../source/open-source.js';

/** Where an image lies that was asked for by its place instead of its name. */
export interface ImagePlace {
  /** For {@link ImageStore.load}. */
  readonly location: SourceLocation;
  /** The name that it is kept under, so that the next run finds it unpacked. */
  readonly name: string;
}

/**
 * Whether what somebody calls an image is a place: `TRANSPORT:PATH[:NAME]`, or the path of something
 * that exists. One without a `/` or `.` at its beginning could be the name of an image, too: then
 * only archives and image layouts are taken for places.
 *
 * @throws ImageError `SOURCE_UNREADABLE` when a path is meant and nothing is there
 */
export function imagePlace(text: string): ImagePlace | undefined {
  const named = parseLocation(text);
  if (named) return { location: named, name: nameOf(named) };
  const isPath = /^(?:\/|\.\.?(?:\/|$))/.test(text);
  const location = { path: path.resolve(text) };
  if (!existsSync(location.path)) {
    if (!isPath) return undefined;
    throw new ImageError({ code: 'SOURCE_UNREADABLE', message: `${text} cannot be read: ENOENT`, hint: 'Check the path.' });
  }
  return isPath || looksLikeImage(location.path) ? { location, name: nameOf(location) } : undefined;
}

function looksLikeImage(file: string): boolean {
  const found = statSync(file, { throwIfNoEntry: false });
  if (found?.isDirectory()) return existsSync(path.join(file, 'oci-layout'));
  if (!found?.isFile()) return false;
  const head = Buffer.alloc(512);
  const fd = openSync(file, 'r');
  try {
    readSync(fd, head, 0, head.length, 0);
  } finally {
    closeSync(fd);
  }
  return detectCompression(head) !== 'none' || head.toString('latin1', 257, 262) === 'ustar';
}

/** Of the file's own name, and of where it is: files of one name do not take each other's place. */
function nameOf(location: SourceLocation): string {
  const base = path
    .basename(location.path)
    .replace(/\.(?:tar|tgz|txz|tzst)(?:\.\w+)?$/i, '')
    .toLowerCase();
  const slug = base.replace(/[^a-z0-9]+/g, '-').replace(/^-+|-+$/g, '') || 'image';
  const where = createHash('sha256')
    .update(`${location.transport ?? ''}:${location.path}:${location.name ?? ''}`)
    .digest('hex');
  return `localhost/${slug}:${where.slice(0, 12)}`;
}
