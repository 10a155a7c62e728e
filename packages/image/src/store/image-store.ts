import path from 'node:path';
import type { Readable } from 'node:stream';
import type { Image, ImageSummary } from '../image.js';
import { ImageError } from '../image-error.js';
import { formatReference, parseReference } from '../reference.js';
import type { ImportOptions, ImportResult } from './import-archive.js';
import { openImage, summarize } from './open-image.js';
import type { RemovedImage } from './remove-image.js';
import { createLayout, findManifest, readIndex, referenceOf } from './store-index.js';
import { StorePaths } from './store-paths.js';

/**
 * A content store: an OCI image layout with the blobs, and beside it the layers, unpacked. Any
 * number of processes may use one at once. Nothing is written before the first import.
 *
 * What writes is loaded when it is called: a run only resolves a name, and starts in milliseconds.
 */
export class ImageStore {
  readonly paths: StorePaths;

  /** @param root absolute path; `/var/lib/lamella` for root, `$XDG_DATA_HOME/lamella` else */
  constructor(root: string) {
    if (!path.isAbsolute(root))
      throw new ImageError({ code: 'STORE_PATH', message: `'${root}' is not an absolute path`, hint: 'Give the store an absolute path.' });
    this.paths = new StorePaths(root);
  }

  /**
   * Import an archive of a root filesystem and unpack it as a layer, once, however many processes
   * ask for the same file at the same time.
   *
   * @param source path of the archive, or its bytes
   * @param name `NAME[:TAG]`; an image of that name is replaced
   * @throws ImageError; nothing partial stays
   */
  async import(source: string | Readable, name: string, options: ImportOptions = {}): Promise<ImportResult> {
    const reference = parseReference(name);
    await createLayout(this.paths);
    const { importArchive } = await import('./import-archive.js');
    return importArchive(this.paths, source, reference, options);
  }

  /**
   * Find an image, its layers unpacked (again, if a power cut may have damaged them).
   *
   * @throws ImageError `REFERENCE_INVALID`, `IMAGE_NOT_FOUND`, `STORE_CORRUPT`
   */
  async resolve(name: string): Promise<Image> {
    const reference = parseReference(name);
    const descriptor = findManifest(readIndex(this.paths), reference);
    if (!descriptor)
      throw new ImageError({
        code: 'IMAGE_NOT_FOUND',
        message: `there is no image '${name}' in ${this.paths.root}`,
        hint: `Import one: lamella import FILE ${name}`,
      });
    return openImage(this.paths, reference, descriptor);
  }

  /** All images, by name. */
  async list(): Promise<readonly ImageSummary[]> {
    const summaries: ImageSummary[] = [];
    for (const descriptor of readIndex(this.paths).manifests) {
      const reference = referenceOf(descriptor);
      if (reference) summaries.push(summarize(this.paths, reference, descriptor));
    }
    return summaries.sort((a, b) => formatReference(a.reference).localeCompare(formatReference(b.reference)));
  }

  /**
   * Take a name away, and the layers and blobs that no other image uses.
   *
   * @throws ImageError `IMAGE_NOT_FOUND`, `IMAGE_IN_USE`
   */
  async remove(name: string): Promise<RemovedImage> {
    const { removeImage } = await import('./remove-image.js');
    return removeImage(this.paths, parseReference(name));
  }

  /**
   * Remove what imports left that were killed.
   *
   * @returns how many there were
   */
  async sweep(): Promise<number> {
    const { sweepTemporary } = await import('./temporary-layer.js');
    return sweepTemporary(this.paths);
  }
}
