import path from 'node:path';
import { Readable, Writable } from 'node:stream';
import { take } from '@lamella/syscall';
import type { StoreCheck } from '../check/check-store.js';
import type { ImageDescription } from '../describe/describe-image.js';
import type { StoreUsage } from '../describe/usage.js';
import type { AddOptions } from '../model/add-options.js';
import type { AddedImage } from '../model/added-image.js';
import type { CheckOptions } from '../model/check-options.js';
import type { CommitOptions } from '../model/commit-options.js';
import { ImageError } from '../model/image-error.js';
import type { ImportOptions } from '../model/import-options.js';
import type { LoadOptions } from '../model/load-options.js';
import type { Platform } from '../model/platform.js';
import type { PullOptions } from '../model/pull-options.js';
import type { PushOptions } from '../model/push-options.js';
import { formatReference, parseReference, type Reference, shortReference } from '../model/reference.js';
import {
  ADD_OPTIONS,
  CHECK_OPTIONS,
  COMMIT_OPTIONS,
  FORMAT,
  IMPORT_OPTIONS,
  LOAD_OPTIONS,
  NAMES,
  PULL_OPTIONS,
  PUSH_OPTIONS,
  RESOLVE_OPTIONS,
  read,
  STRING,
} from '../options/option-shapes.js';
import type { RemovedImage } from '../removal/remove-image.js';
import { parseLocation } from '../source/image-place.js';
import type { Image, ImagePlatform, ImageSummary } from '../stack/image.js';
import { openImage, summarize } from '../stack/open-image.js';
import { explainWriteErrors } from '../store/explain-write-errors.js';
import type { OciDescriptor } from '../store/oci-schema.js';
import { createLayout, findManifest, readIndex, referenceOf, withManifest, writeIndex } from '../store/store-index.js';
import { StorePaths } from '../store/store-paths.js';
import type { CommittedImage } from '../transfer/commit-image.js';
import type { ImportResult } from '../transfer/import-archive.js';
import type { SaveFormat } from '../transfer/save-images.js';

const SOURCE: take.Check<string | Readable> = take.either(STRING, take.instanceOf(Readable, 'a Readable'));

/**
 * A content store: an OCI image layout with the blobs, and beside it the layers, unpacked. Any
 * number of processes may use one at once. Nothing is written before the first import.
 *
 * What writes is loaded when it is called: a run only resolves a name, and starts in milliseconds.
 *
 * @example
 * ```js
 * import { ImageStore } from '@lamella/image';
 *
 * const store = new ImageStore(`${process.cwd()}/images`);
 * await store.import('busybox.tar', 'tools:v1');
 * console.log((await store.resolve('tools:v1')).layers.length); // 1
 * ```
 */
export class ImageStore {
  readonly paths: StorePaths;

  /** @param root absolute path; `/var/lib/lamella` for root, `$XDG_DATA_HOME/lamella` else */
  constructor(root: string) {
    read('ImageStore(root)', root, STRING);
    if (!path.isAbsolute(root))
      throw new ImageError({ code: 'STORE_PATH', message: `'${root}' is not an absolute path`, hint: 'Give the store an absolute path.' });
    this.paths = new StorePaths(root);
  }

  /**
   * Imports an archive of a root filesystem and unpacks it as a layer, once, however many processes
   * ask for the same file at the same time.
   *
   * @param source path of the archive, or its bytes
   * @param name `NAME[:TAG]`; an image of that name is replaced
   * @throws ImageError; nothing partial stays
   */
  async import(source: string | Readable, name: string, given: ImportOptions = {}): Promise<ImportResult> {
    const options = read('import(source, name, options)', given, IMPORT_OPTIONS);
    read('import(source)', source, SOURCE);
    read('import(source, name)', name, STRING);
    const reference = parseReference(name);
    const { importArchive } = await import('../transfer/import-archive.js');
    return explainWriteErrors(this.paths, async () => {
      await createLayout(this.paths);
      return await importArchive(this.paths, source, reference, options);
    });
  }

  /**
   * Finds an image, its layers unpacked (again, if a power cut may have damaged them).
   *
   * @param options.platform the platform; any platform if missing
   * @throws ImageError `REFERENCE_INVALID`, `IMAGE_NOT_FOUND`, `STORE_CORRUPT`, `PLATFORM_MISSING`
   */
  async resolve(name: string, given: { readonly platform?: Platform } = {}): Promise<Image> {
    read('resolve(name)', name, STRING);
    const { platform } = read('resolve(name, options)', given, RESOLVE_OPTIONS);
    const reference = parseReference(name);
    const descriptor = findManifest(readIndex(this.paths), reference);
    if (!descriptor)
      throw new ImageError({
        code: 'IMAGE_NOT_FOUND',
        message: `there is no image '${name}' in ${this.paths.root}`,
        hint: `Import one: lamella import FILE ${name}`,
      });
    const image = await openImage(this.paths, reference, descriptor);
    if (platform && image.platform) await this.#requirePlatform(name, image.platform, platform);
    return image;
  }

  /**
   * Makes an image of another one and layers on top of it. An image of that name is replaced.
   *
   * @param base digest of the other image's manifest
   * @param layers open tars of the new layers, from the bottom up; one without entries makes none
   * @throws ImageError `REFERENCE_INVALID`, `CONFIG_CHANGE_INVALID`, `STORE_CORRUPT`; nothing partial stays
   */
  async commit(base: string, layers: readonly (() => Readable)[], name: string, given: CommitOptions = {}): Promise<CommittedImage> {
    const options = read('commit(base, layers, name, options)', given, COMMIT_OPTIONS);
    read('commit(base, layers, name)', name, STRING);
    const reference = parseReference(name);
    const { commitImage, sourceDateEpoch } = await import('../transfer/commit-image.js');
    const timestamp = options.timestamp ?? sourceDateEpoch();
    return explainWriteErrors(this.paths, () => commitImage(this.paths, base, layers, reference, { ...options, timestamp }));
  }

  /**
   * Loads the images of an archive or layout: what `docker save`, `podman save`, skopeo or
   * {@link save} wrote. Layers that are there are not unpacked again. With a `name`, the tar of a root
   * filesystem is taken, too, as {@link import} does.
   *
   * @param source a path, `docker-archive:`, `oci-archive:`, `oci:` or `dir:` with a path (and `:NAME`), or bytes
   * @param name for an image without a name, or instead of its name if there is one image only
   * @throws ImageError; the names are what they were
   */
  async load(source: string | Readable, given: LoadOptions = {}): Promise<readonly AddedImage[]> {
    const options = read('load(source, options)', given, LOAD_OPTIONS);
    read('load(source)', source, SOURCE);
    const { loadImages } = await import('../transfer/load-images.js');
    const location = typeof source === 'string' ? (parseLocation(source) ?? { path: path.resolve(source) }) : source;
    return loadImages(this.paths, location, options);
  }

  /**
   * Imports the image at a location: an archive or layout as {@link load} takes it, with one image in it, or
   * the tar of a root filesystem as {@link import} does. The image is kept under the name
   * `localhost/NAME:PLACE`, and not unpacked again until the location changes.
   *
   * @param source `docker-archive:`, `oci-archive:`, `oci:` or `dir:` with a path (and `:NAME`), or a path
   * @returns undefined if `source` is not a location, but may be the name of an image
   * @throws ImageError those of {@link load} and {@link import}
   */
  async importLocation(source: string, given: AddOptions = {}): Promise<Image | undefined> {
    const options = read('importLocation(source, options)', given, ADD_OPTIONS);
    read('importLocation(source)', source, STRING);
    const { importLocation } = await import('../transfer/import-place.js');
    const name = await importLocation(this.paths, source, options);
    return name === undefined ? undefined : this.resolve(name);
  }

  /**
   * Fetch an image from its registry. Layers that are there are not fetched again.
   *
   * @throws ImageError `REGISTRY_*` and those of {@link load}; the names are what they were
   */
  async pull(name: string, given: PullOptions = {}): Promise<AddedImage> {
    const options = read('pull(name, options)', given, PULL_OPTIONS);
    read('pull(name)', name, STRING);
    const reference = parseReference(name);
    const [{ pullFrom }, { endpointsFor }] = await Promise.all([import('../registry/pull-from.js'), import('../registry/registries-conf.js')]);
    const endpoints = endpointsFor(reference);
    return explainWriteErrors(this.paths, async () => {
      await createLayout(this.paths);
      return await pullFrom(this.paths, endpoints, reference, options);
    });
  }

  /**
   * Pushes an image to the registry in its name.
   *
   * @returns digest of the manifest
   * @throws ImageError `REGISTRY_*`, `IMAGE_NOT_FOUND`
   */
  async push(name: string, given: PushOptions = {}): Promise<string> {
    const options = read('push(name, options)', given, PUSH_OPTIONS);
    const { reference, descriptor } = this.#find(name);
    const [{ RegistryClient }, { pushImage }] = await Promise.all([import('../registry/registry-client.js'), import('../registry/push.js')]);
    await using client = new RegistryClient(reference.domain, reference.path, { ...options, actions: 'pull,push' });
    await pushImage(this.paths, client, reference, descriptor, options.onProgress);
    return descriptor.digest;
  }

  /**
   * Writes images as one archive.
   *
   * @throws ImageError `IMAGE_NOT_FOUND`, `STORE_CORRUPT`
   */
  async save(names: readonly string[], output: Writable, format: SaveFormat = 'docker-archive'): Promise<void> {
    read('save(names)', names, NAMES);
    read('save(names, output)', output, take.instanceOf(Writable, 'a Writable'));
    read('save(names, output, format)', format, FORMAT as take.Check<SaveFormat>);
    const { saveImages } = await import('../transfer/save-images.js');
    await saveImages(
      this.paths,
      names.map((name) => this.#find(name)),
      format,
      output,
    );
  }

  /**
   * Gives an image another name; what had that name loses it.
   *
   * @throws ImageError `IMAGE_NOT_FOUND`, `REFERENCE_INVALID`
   */
  async tag(name: string, another: string): Promise<Reference> {
    read('tag(name, another)', another, STRING);
    const reference = parseReference(another);
    const { lockFile } = await import('@lamella/syscall');
    return explainWriteErrors(this.paths, async () => {
      await using _index = await lockFile(this.paths.lock('index'));
      const { descriptor } = this.#find(name);
      await writeIndex(this.paths, withManifest(readIndex(this.paths), reference, descriptor));
      return reference;
    });
  }

  /**
   * All that the store knows of an image.
   *
   * @throws ImageError `IMAGE_NOT_FOUND`, `STORE_CORRUPT`
   */
  async describe(name: string): Promise<ImageDescription> {
    read('describe(name)', name, STRING);
    const { describeImage } = await import('../describe/describe-image.js');
    const reference = parseReference(name);
    return describeImage(this.paths, reference, () => this.#missing(reference));
  }

  /** Where the space goes. @throws ImageError `STORE_CORRUPT` */
  async usage(): Promise<StoreUsage> {
    const { storeUsage } = await import('../describe/usage.js');
    return storeUsage(this.paths);
  }

  /**
   * Compares blobs with their digests and trees with their blobs, and mends what can be mended.
   *
   * @throws ImageError `STORE_NEWER`
   */
  async check(given: CheckOptions = {}): Promise<StoreCheck> {
    const options = read('check(options)', given, CHECK_OPTIONS);
    const { checkStore } = await import('../check/check-store.js');
    return checkStore(this.paths, options);
  }

  /** Removes blobs and layers that no image refers to: what an attempt left that did not succeed. */
  async prune(): Promise<{ readonly blobs: readonly string[]; readonly layers: readonly string[] }> {
    const [{ collectGarbage }, { lockFile }] = await Promise.all([import('../removal/collect-garbage.js'), import('@lamella/syscall')]);
    return explainWriteErrors(this.paths, async () => {
      await createLayout(this.paths);
      await using _index = await lockFile(this.paths.lock('index'));
      return await collectGarbage(this.paths);
    });
  }

  /** As for Docker: an image of another platform is not the one that is meant. */
  async #requirePlatform(name: string, found: ImagePlatform, wanted: Platform): Promise<void> {
    const { formatPlatform, rankOf } = await import('../source/choose-platform.js');
    if (rankOf(found, wanted) !== undefined) return;
    throw new ImageError({
      code: 'PLATFORM_MISSING',
      message: `the image '${name}' in ${this.paths.root} is for ${formatPlatform(found)}, not for ${formatPlatform(wanted)}`,
      hint: `Fetch the other one: lamella pull --platform ${formatPlatform(wanted)} ${name}`,
    });
  }

  #missing(reference: Reference): ImageError {
    return new ImageError({
      code: 'IMAGE_NOT_FOUND',
      message: `there is no image '${shortReference(reference)}' in ${this.paths.root}`,
      hint: '`lamella images` lists those that are.',
    });
  }

  #find(name: string): { readonly reference: Reference; readonly descriptor: OciDescriptor } {
    read('the name of an image', name, STRING);
    const reference = parseReference(name);
    const descriptor = findManifest(readIndex(this.paths), reference);
    if (!descriptor) throw this.#missing(reference);
    return { reference, descriptor };
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
   * Removes a name, and the layers and blobs that no other image uses.
   *
   * @throws ImageError `IMAGE_NOT_FOUND`, `IMAGE_IN_USE`
   */
  async remove(name: string): Promise<RemovedImage> {
    const { removeImage } = await import('../removal/remove-image.js');
    return explainWriteErrors(this.paths, () => removeImage(this.paths, parseReference(name)));
  }

  /**
   * Removes what imports left that were killed.
   *
   * @returns how many there were
   */
  async sweep(): Promise<number> {
    const { sweepTemporary } = await import('../store/temporary-layer.js');
    return sweepTemporary(this.paths);
  }
}
