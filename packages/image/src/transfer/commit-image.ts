import type { Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import type { AddedImage } from '../model/added-image.js';
import type { CommitOptions } from '../model/commit-options.js';
import { ImageError } from '../model/image-error.js';
import type { Reference } from '../model/reference.js';
import { readConfig, readManifest } from '../store/image-documents.js';
import { MEDIA_TYPES, type OciConfig } from '../store/oci-schema.js';
import type { StorePaths } from '../store/store-paths.js';
import { addImage, stageNewLayer } from './add-image.js';
import { changeConfig } from './change-config.js';

/** An image that a commit made. */
export interface CommittedImage {
  readonly reference: Reference;
  /** Digest of the manifest. */
  readonly digest: string;
  /** Digests of the layers that came on top of the base, from the bottom up. */
  readonly layers: readonly string[];
}

/**
 * Makes an image of another one and layers on top of it, which are packed, digested and unpacked in one go.
 *
 * @param base digest of a manifest in the store
 * @param layers tars of the new layers, from the bottom up; each is opened when its turn comes
 */
export async function commitImage(
  paths: StorePaths,
  base: string,
  layers: readonly (() => Readable)[],
  reference: Reference,
  { signal, message, author, changes = [], timestamp, createdBy = 'lamella commit' }: CommitOptions,
): Promise<CommittedImage> {
  const manifest = readManifest(paths, { digest: base, mediaType: MEDIA_TYPES.manifest[0], size: 0 });
  const config = readConfig(paths, manifest);
  const changed = changeConfig(config.config ?? {}, changes);
  await using holds = new AsyncDisposableStack();
  const made: { readonly diffID: string }[] = [];
  for (const open of layers) {
    const gzip = createGzip({ chunkSize: 65536 });
    const tar = open();
    tar.once('error', (error) => gzip.destroy(error));
    // It may fail before anybody reads it, who will find that then.
    gzip.on('error', () => undefined);
    gzip.once('close', () => tar.destroy());
    const { hold, ...layer } = await stageNewLayer(paths, tar.pipe(gzip), signal ? { signal } : {});
    holds.use(hold);
    if (layer.entries) made.push(layer);
  }
  const created = new Date(timestamp === undefined ? Date.now() : timestamp * 1000).toISOString();
  const entry = { created, created_by: createdBy, ...(author === undefined ? {} : { author }), ...(message === undefined ? {} : { comment: message }) };
  const next: OciConfig = {
    ...config,
    created,
    ...(author === undefined ? {} : { author }),
    config: changed,
    rootfs: { type: 'layers', diff_ids: [...config.rootfs.diff_ids, ...made.map(({ diffID }) => diffID)] },
    history: [...(config.history ?? []), ...(made.length ? made.map(() => entry) : [{ ...entry, empty_layer: true }])],
  };
  const gone = async (): Promise<never> => {
    throw new ImageError({ code: 'STORE_CORRUPT', message: 'a layer of the image that is the base is gone', hint: 'Bring that image in again.' });
  };
  const added: AddedImage = await addImage(
    paths,
    {
      names: [],
      config: Buffer.from(JSON.stringify(next)),
      layers: [
        ...config.rootfs.diff_ids.map((diffID, i) => ({ diffID, expected: manifest.layers[i], open: gone })),
        ...made.map(({ diffID }) => ({ diffID, open: gone })),
      ],
    },
    [reference],
    { trusted: true, ...(signal ? { signal } : {}) },
  );
  return { reference, digest: added.digest, layers: made.map(({ diffID }) => diffID) };
}

/**
 * The time that everything made is to have, from the environment (reproducible-builds.org, SOURCE_DATE_EPOCH).
 *
 * @throws ImageError `TIMESTAMP_INVALID`
 */
export function sourceDateEpoch(text: string | undefined = process.env.SOURCE_DATE_EPOCH): number | undefined {
  if (text === undefined || text === '') return undefined;
  const seconds = Number(text);
  if (!/^\d+$/.test(text) || seconds > 253402300799)
    throw new ImageError({ code: 'TIMESTAMP_INVALID', message: `'${text}' is not a time`, hint: 'SOURCE_DATE_EPOCH and --timestamp are seconds since 1970.' });
  return seconds;
}
