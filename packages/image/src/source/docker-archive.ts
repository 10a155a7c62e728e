import * as v from 'valibot';
import { ImageError } from '../model/image-error.js';
import { formatReference, parseReference } from '../model/reference.js';
import { ConfigSchema, OF_A_SOURCE, parseDocument } from '../store/oci-schema.js';
import { DOCUMENT_MAX } from './manifest-image.js';
import type { MemberFiles } from './member-files.js';
import type { ListedImage, SourceImage } from './source-image.js';

const Texts = v.nullish(v.array(v.string()), []);
const ArchiveManifest = v.array(v.looseObject({ Config: v.string(), RepoTags: Texts, Layers: Texts }));
type ArchivedImage = v.InferOutput<typeof ArchiveManifest>[number];

/**
 * The images of what `docker save` writes (manifest.json; image/tarball spec v1.2).
 *
 * @param wanted a name in it; all when missing
 * @throws ImageError `SOURCE_INVALID`, `SOURCE_INCOMPLETE`, `SOURCE_NAME_UNKNOWN`
 */
export async function dockerArchiveImages(files: MemberFiles, wanted: string | undefined): Promise<ListedImage[]> {
  const manifest = await readManifest(files);
  // Some tools write short names, some whole ones.
  const whole = wanted === undefined ? undefined : formatReference(parseReference(wanted));
  const images = manifest
    .filter(({ RepoTags }) => whole === undefined || RepoTags.some((name) => isName(name, whole)))
    .map((image): ListedImage => ({ what: image.RepoTags[0] ?? image.Config, open: () => openArchived(files, image) }));
  if (images.length) return images;
  const there = manifest.flatMap(({ RepoTags }) => RepoTags);
  throw new ImageError({
    code: 'SOURCE_NAME_UNKNOWN',
    message: wanted === undefined ? `${files.where} has no image` : `${files.where} has no image '${wanted}'`,
    hint: `It has: ${there.join(', ') || 'none with a name'}.`,
  });
}

/**
 * The names that `manifest.json` gives to the images of an OCI layout which it lies beside, by the digests of their configs:
 * Docker 25 and later, containerd and buildx write both.
 */
export async function namesBeside(files: MemberFiles): Promise<ReadonlyMap<string, readonly string[]>> {
  const names = new Map<string, readonly string[]>();
  if (!(await files.has('manifest.json'))) return names;
  let manifest: readonly ArchivedImage[];
  try {
    manifest = await readManifest(files);
  } catch (error) {
    // A layout is whole without it, and may have a file of that name for another tool.
    if (error instanceof ImageError && error.code === 'SOURCE_INVALID') return names;
    throw error;
  }
  for (const { Config, RepoTags } of manifest) {
    const digits = /(?:^|\/)([0-9a-f]{64})(?:\.json)?$/.exec(Config)?.[1];
    if (digits !== undefined) names.set(`sha256:${digits}`, [...(names.get(`sha256:${digits}`) ?? []), ...RepoTags]);
  }
  return names;
}

async function readManifest(files: MemberFiles): Promise<readonly ArchivedImage[]> {
  const text = (await files.read('manifest.json', DOCUMENT_MAX)).toString('utf8');
  return parseDocument(ArchiveManifest, text, `manifest.json in ${files.where}`, OF_A_SOURCE);
}

function isName(name: string, whole: string): boolean {
  try {
    return formatReference(parseReference(name)) === whole;
  } catch (error) {
    if (error instanceof ImageError) return false;
    throw error;
  }
}

async function openArchived(files: MemberFiles, { Config, RepoTags, Layers }: ArchivedImage): Promise<SourceImage> {
  const names = RepoTags.map(parseReference);
  const config = await files.read(Config, DOCUMENT_MAX);
  const { rootfs } = parseDocument(ConfigSchema, config.toString('utf8'), `${Config} in ${files.where}`, OF_A_SOURCE);
  if (rootfs.diff_ids.length !== Layers.length)
    throw new ImageError({
      code: 'SOURCE_INVALID',
      message: `${files.where} lists ${Layers.length} layers, its config ${rootfs.diff_ids.length}`,
      hint: 'The archive is damaged.',
    });
  return { names, config, layers: Layers.map((name, i) => ({ diffID: rootfs.diff_ids[i] ?? '', open: (signal) => files.open(name, signal) })) };
}
