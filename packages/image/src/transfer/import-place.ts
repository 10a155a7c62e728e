import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { lockFile } from '@lamella/syscall';
import { detectCompression } from '../compression/compression.js';
import type { AddOptions } from '../model/add-options.js';
import { ImageError } from '../model/image-error.js';
import { parseReference } from '../model/reference.js';
import { formatPlatform } from '../source/choose-platform.js';
import { isImageLocation, parseLocation, type SourceLocation } from '../source/image-place.js';
import { headOf } from '../source/open-source.js';
import { clearPlace } from '../store/clear-place.js';
import { writeDurably } from '../store/durable-file.js';
import { findManifest, readIndex } from '../store/store-index.js';
import type { StorePaths } from '../store/store-paths.js';
import { textOfStored } from '../store/stored-file.js';
import { identify } from './import-archive.js';
import { loadImages } from './load-images.js';

/**
 * {@link ImageStore.importLocation} tells of it. A file that was imported before and has not been touched since is
 * not even opened: which image it became is noted.
 *
 * @returns the name that the image is kept under; undefined when the words could be the name of an image
 */
export async function importLocation(paths: StorePaths, source: string, options: AddOptions): Promise<string | undefined> {
  const location = await placeOf(source);
  if (!location) return undefined;
  const name = nameOf(location);
  const note = (await stat(location.path)).isFile()
    ? path.join(paths.imports, `${(await identify(location.path)).identity}-${name.slice(-12)}${suffixOf(options)}`)
    : undefined;
  const known = note && textOfStored(note);
  if (known !== undefined && known === findManifest(readIndex(paths), parseReference(name))?.digest) return name;
  const [added] = await loadImages(paths, location, { ...options, name });
  // A name makes it one image.
  if (note && added) {
    await using _index = await lockFile(paths.lock('index'));
    await clearPlace(note);
    await writeDurably(note, added.digest);
  }
  return name;
}

/** One archive may have an image for each of several platforms. */
function suffixOf({ platform }: AddOptions): string {
  return platform ? `-${formatPlatform(platform).replaceAll('/', '-')}` : '';
}

/**
 * The words for an image, as a place: `TRANSPORT:PATH[:NAME]`, or the path of something that exists.
 * One without a `/` or `.` at its beginning could be the name of an image, too: then only archives and
 * image layouts are taken for places.
 *
 * @throws ImageError `SOURCE_UNREADABLE` when a path is meant and nothing is there
 */
async function placeOf(text: string): Promise<SourceLocation | undefined> {
  const location = parseLocation(text) ?? { path: path.resolve(text) };
  if (existsSync(location.path)) return isImageLocation(text) || (await looksLikeImage(location.path)) ? location : undefined;
  if (!isImageLocation(text)) return undefined;
  throw new ImageError({ code: 'SOURCE_UNREADABLE', message: `${text} cannot be read: ENOENT`, hint: 'Check the path.' });
}

async function looksLikeImage(file: string): Promise<boolean> {
  const found = await stat(file);
  if (found.isDirectory()) return existsSync(path.join(file, 'oci-layout'));
  if (!found.isFile()) return false;
  const head = await headOf(file);
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
