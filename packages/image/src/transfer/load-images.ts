import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import type { AddedImage } from '../model/added-image.js';
import { ImageError } from '../model/image-error.js';
import type { LoadOptions } from '../model/load-options.js';
import { parseReference, type Reference, shortReference } from '../model/reference.js';
import { hostPlatform } from '../source/choose-platform.js';
import type { SourceLocation } from '../source/image-place.js';
import { openSource } from '../source/open-source.js';
import type { SourceImage } from '../source/source-image.js';
import { explainWriteErrors } from '../store/explain-write-errors.js';
import { createLayout } from '../store/store-index.js';
import type { StorePaths } from '../store/store-paths.js';
import { sweepTemporary, temporaryLayer } from '../store/temporary-layer.js';
import { destroyOnFailure } from '../streams/destroy-on-failure.js';
import { addImage } from './add-image.js';
import { importArchive } from './import-archive.js';
import { LoadError } from './load-error.js';

/** {@link ImageStore.load} tells of it. */
export function loadImages(paths: StorePaths, source: SourceLocation | Readable, options: LoadOptions): Promise<readonly AddedImage[]> {
  return explainWriteErrors(paths, async () => {
    try {
      if (source instanceof Readable) return await destroyOnFailure(source, () => load(paths, source, options));
      return await load(paths, source, options);
    } catch (error) {
      const rootfs = error instanceof ImageError && error.code === 'SOURCE_UNKNOWN' && !(source instanceof Readable) && source.transport === undefined;
      if (!rootfs || options.name === undefined) throw error;
      return [await importAs(paths, source.path, options.name, options)];
    }
  });
}

async function load(paths: StorePaths, source: SourceLocation | Readable, options: LoadOptions): Promise<readonly AddedImage[]> {
  await createLayout(paths);
  await sweepTemporary(paths);
  // Made before anything is written, and swept when this process is killed.
  await using temporary = await temporaryLayer(paths);
  await using opened = await openSource(source, temporary.spool, options.platform ?? hostPlatform(), options.signal);
  const wanted = options.name === undefined ? undefined : parseReference(options.name);
  if (wanted && opened.images.length > 1)
    throw new ImageError({
      code: 'SOURCE_AMBIGUOUS',
      message: `there are ${opened.images.length} images, and one name for them`,
      hint: 'Name one: docker-archive:FILE:NAME.',
    });
  const loaded: AddedImage[] = [];
  const failures: { readonly what: string; readonly error: ImageError }[] = [];
  for (const { what, open } of opened.images) {
    try {
      loaded.push(await loadImage(paths, await open(), wanted, options));
    } catch (error) {
      if (opened.images.length === 1 || options.signal?.aborted || !(error instanceof ImageError)) throw error;
      failures.push({ what, error });
    }
  }
  if (failures.length) throw new LoadError(loaded, failures);
  return loaded;
}

async function loadImage(paths: StorePaths, image: SourceImage, wanted: Reference | undefined, options: LoadOptions): Promise<AddedImage> {
  const names = wanted ? [wanted] : image.names;
  if (names.length) return addImage(paths, image, names, options);
  // Docker keeps it by its ID; a name that is made of that is one for every command.
  const made: Reference = { domain: 'localhost', path: 'loaded', tag: createHash('sha256').update(image.config).digest('hex').slice(0, 12) };
  const added = await addImage(paths, image, [made], options);
  const name = shortReference(made);
  return { ...added, warnings: [...added.warnings, `the image has no name of its own and is kept as ${name}; give it one: lamella tag ${name} NAME`] };
}

/** Something else than an archive of images may be the tar of a root filesystem. */
async function importAs(paths: StorePaths, file: string, name: string, options: LoadOptions): Promise<AddedImage> {
  const { reference, digest, reused, warnings } = await importArchive(paths, file, parseReference(name), {
    ...(options.signal ? { signal: options.signal } : {}),
    // Its diffID is not known before its end.
    onProgress: ({ bytes, total }) => options.onProgress?.({ diffID: file, state: 'unpacking', bytes, total }),
  });
  return { references: [reference], digest, layers: 1, unpacked: reused ? 0 : 1, warnings };
}
