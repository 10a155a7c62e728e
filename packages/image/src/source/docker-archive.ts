import * as v from 'valibot';
import { ImageError } from '../image-error.js';
import { formatReference, parseReference } from '../reference.js';
import { ConfigSchema, parseDocument } from '../store/oci-schema.js';
import { DOCUMENT_MAX } from './manifest-image.js';
import type { MemberFiles } from './member-files.js';
import type { SourceImage } from './source-image.js';

const ArchiveManifest = v.array(v.looseObject({ Config: v.string(), RepoTags: v.optional(v.nullable(v.array(v.string()))), Layers: v.array(v.string()) }));

/**
 * The images of what `docker save` writes (manifest.json; image/tarball spec v1.2).
 *
 * @param wanted a name in it; all when missing
 * @throws ImageError `SOURCE_INVALID`, `SOURCE_INCOMPLETE`, `SOURCE_NAME_UNKNOWN`
 */
export async function dockerArchiveImages(files: MemberFiles, wanted: string | undefined): Promise<SourceImage[]> {
  const manifest = parseDocument(ArchiveManifest, (await files.read('manifest.json', DOCUMENT_MAX)).toString('utf8'), `manifest.json in ${files.where}`);
  // Some tools write short names, some whole ones.
  const whole = wanted === undefined ? undefined : formatReference(parseReference(wanted));
  const images: SourceImage[] = [];
  for (const { Config, RepoTags, Layers } of manifest) {
    const names = (RepoTags ?? []).map(parseReference);
    if (whole !== undefined && !names.some((name) => formatReference(name) === whole)) continue;
    const config = await files.read(Config, DOCUMENT_MAX);
    const { rootfs } = parseDocument(ConfigSchema, config.toString('utf8'), `${Config} in ${files.where}`);
    if (rootfs.diff_ids.length !== Layers.length)
      throw new ImageError({
        code: 'SOURCE_INVALID',
        message: `${files.where} lists ${Layers.length} layers, its config ${rootfs.diff_ids.length}`,
        hint: 'The archive is damaged.',
      });
    images.push({ names, config, layers: Layers.map((name, i) => ({ diffID: rootfs.diff_ids[i] ?? '', open: (signal) => files.open(name, signal) })) });
  }
  if (images.length) return images;
  const there = manifest.flatMap(({ RepoTags }) => RepoTags ?? []);
  throw new ImageError({
    code: 'SOURCE_NAME_UNKNOWN',
    message: wanted === undefined ? `${files.where} has no image` : `${files.where} has no image '${wanted}'`,
    hint: `It has: ${there.join(', ') || 'none with a name'}.`,
  });
}
