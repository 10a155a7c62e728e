import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { kindOf, lockFile, streamRegular } from '@lamella/syscall';
import * as v from 'valibot';
import { isLayerUntouched } from '../check/verified-times.js';
import { blobProblem, publishedTimes } from '../check/verify-blob.js';
import { isAsUnpacked, obviousProblem, replaceLayer } from '../check/verify-layer.js';
import { applyLayer } from '../layer/apply-layer.js';
import type { AppliedLayer } from '../model/applied-layer.js';
import { ImageError } from '../model/image-error.js';
import type { ImportOptions } from '../model/import-options.js';
import type { Reference } from '../model/reference.js';
import { collectGarbage } from '../removal/collect-garbage.js';
import { isOwnPipe } from '../source/open-source.js';
import { clearPlace } from '../store/clear-place.js';
import { publish, writeDurably } from '../store/durable-file.js';
import { MEDIA_TYPES, type OciConfig, type OciManifest } from '../store/oci-schema.js';
import { readIndex, withManifest, withoutRecovered, writeIndex } from '../store/store-index.js';
import type { StorePaths } from '../store/store-paths.js';
import { textOfStored } from '../store/stored-file.js';
import { sweepTemporary, temporaryLayer } from '../store/temporary-layer.js';
import { writeBlob } from '../store/write-blob.js';
import { destroyOnFailure } from '../streams/destroy-on-failure.js';

/** An image that an import made. */
export interface ImportResult {
  readonly reference: Reference;
  /** Digest of the manifest. */
  readonly digest: string;
  readonly diffID: string;
  readonly warnings: readonly string[];
  /** Whether the same file had been imported before and nothing needed to be unpacked. */
  readonly reused: boolean;
}

const LayerRecord = v.object({
  digest: v.string(),
  size: v.number(),
  mediaType: v.string(),
  diffID: v.string(),
  warnings: v.array(v.string()),
});
type LayerRecord = v.InferOutput<typeof LayerRecord>;

/** The whole of an import; {@link ImageStore.import} tells of it. */
export async function importArchive(paths: StorePaths, source: string | Readable, reference: Reference, options: ImportOptions): Promise<ImportResult> {
  await sweepTemporary(paths);
  if (typeof source === 'string' && isOwnPipe(source)) return unpack(paths, createReadStream(source), reference, { options });
  if (typeof source !== 'string') return unpack(paths, source, reference, { options });
  const { identity, size } = await identify(source);
  const record = path.join(paths.imports, identity);
  await using _turn = await lockFile(paths.lock(`import-${identity.slice(0, 2)}`), options.signal ? { signal: options.signal } : {});
  {
    await using _index = await lockFile(paths.lock('index'));
    const known = await readRecord(paths, record);
    if (known) return { ...(await publishImported(paths, reference, known)), reused: true };
  }
  // Awaited here: a promise that is only returned would outlive the lock.
  return await unpack(paths, await streamRegular(source, options.signal ? { signal: options.signal } : {}), reference, { record, size, options });
}

/** A file with the same inode and times has not changed. */
export async function identify(file: string): Promise<{ readonly identity: string; readonly size: number }> {
  const found = await stat(file, { bigint: true }).catch((cause: NodeJS.ErrnoException) => {
    throw new ImageError({
      code: 'ARCHIVE_UNREADABLE',
      message: `${file} cannot be read: ${cause.code}`,
      hint: cause.code === 'ENOENT' ? 'Check the path.' : 'Check its permissions.',
      cause,
    });
  });
  if (found.isDirectory())
    throw new ImageError({
      code: 'ARCHIVE_UNREADABLE',
      message: `${file} is a directory`,
      hint: `Import a tar of it: tar -C ${file} -c . | lamella import - NAME`,
    });
  if (!found.isFile())
    throw new ImageError({
      code: 'ARCHIVE_UNREADABLE',
      message: `${file} is ${kindOf(found)}, not a regular file`,
      hint: `Give its content by stdin: COMMAND | lamella import - NAME`,
    });
  const identity = createHash('sha256').update([found.dev, found.ino, found.size, found.mtimeNs, found.ctimeNs].join(':')).digest('hex');
  return { identity, size: Number(found.size) };
}

/** Whether this is what a record of an import says: what its layer is, or (see import-place.ts) which image it became. */
export function isRecord(text: string): boolean {
  return /^sha256:[0-9a-f]{64}$/.test(text) || v.safeParse(v.pipe(v.string(), v.parseJson(), LayerRecord), text).success;
}

/** Ignores a damaged record: then the archive is unpacked and the record written again. */
async function readRecord(paths: StorePaths, file: string): Promise<LayerRecord | undefined> {
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), LayerRecord), textOfStored(file));
  if (!parsed.success) return undefined;
  const { diffID, digest } = parsed.output;
  if (obviousProblem(paths, diffID) !== undefined || !(await isLayerUntouched(paths, diffID))) return undefined;
  return (await blobProblem(paths.blob(digest), parsed.output, publishedTimes(paths).get(digest))) === undefined ? parsed.output : undefined;
}

function unpack(
  paths: StorePaths,
  source: Readable,
  reference: Reference,
  { record, size: total, options }: { readonly record?: string; readonly size?: number; readonly options: ImportOptions },
): Promise<ImportResult> {
  return destroyOnFailure(source, () => unpackNow(paths, source, reference, { record, total, options }));
}

async function unpackNow(
  paths: StorePaths,
  source: Readable,
  reference: Reference,
  {
    record,
    total,
    options: { onProgress, ...options },
  }: { readonly record: string | undefined; readonly total: number | undefined; readonly options: ImportOptions },
): Promise<ImportResult> {
  await using temporary = await temporaryLayer(paths);
  const blob = await open(temporary.blob, 'wx', 0o644);
  let applied: AppliedLayer;
  try {
    applied = await applyLayer(source, temporary.tree, {
      ...options,
      ...(onProgress ? { onProgress: (progress) => onProgress({ ...progress, total }) } : {}),
      tee: (chunk) => blob.writeFile(chunk),
    });
    await blob.sync();
  } finally {
    await blob.close();
  }
  const { digest, size, compression } = applied.blob;
  const layer: LayerRecord = { digest, size, diffID: applied.diffID, warnings: [...applied.warnings], mediaType: MEDIA_TYPES.layer[compression] };
  // Everything becomes visible under one lock, so that nobody takes it for garbage in between.
  await using _turn = await lockFile(paths.lock(`layer-${applied.diffID.slice(7, 9)}`), options.signal ? { signal: options.signal } : {});
  await using _index = await lockFile(paths.lock('index'));
  await clearPlace(paths.blob(digest));
  await publish(temporary.blob, paths.blob(digest));
  if (!(await isAsUnpacked(paths, temporary, applied))) await replaceLayer(paths, temporary, applied);
  if (record) {
    await clearPlace(record);
    await writeDurably(record, `${JSON.stringify(layer)}\n`);
  }
  return { ...(await publishImported(paths, reference, layer)), reused: false };
}

/** Writes config and manifest, and lets the name point to them. The index lock is held. */
async function publishImported(paths: StorePaths, reference: Reference, layer: LayerRecord): Promise<Omit<ImportResult, 'reused'>> {
  const created = new Date(process.env.SOURCE_DATE_EPOCH ? Number(process.env.SOURCE_DATE_EPOCH) * 1000 : Date.now()).toISOString();
  const config: OciConfig = {
    created,
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    config: {},
    rootfs: { type: 'layers', diff_ids: [layer.diffID] },
    history: [{ created, created_by: 'lamella import' }],
  };
  const configBlob = await writeBlob(paths, 'application/vnd.oci.image.config.v1+json', Buffer.from(JSON.stringify(config)));
  const manifest: OciManifest = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: configBlob,
    layers: [{ mediaType: layer.mediaType, digest: layer.digest, size: layer.size }],
  };
  const descriptor = await writeBlob(paths, 'application/vnd.oci.image.manifest.v1+json', Buffer.from(JSON.stringify(manifest)));
  const index = withoutRecovered(readIndex(paths), descriptor);
  await writeIndex(paths, withManifest(index, reference, descriptor));
  await collectGarbage(paths);
  return { reference, digest: descriptor.digest, diffID: layer.diffID, warnings: layer.warnings };
}
