import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { lockFile, streamRegular } from '@lamella/syscall';
import { ImageError } from '../image-error.js';
import { formatReference } from '../reference.js';
import { collectGarbage } from './collect-garbage.js';
import { entriesOf } from './entries-of.js';
import { isWhole, readLayerMeta } from './layer-meta.js';
import type { OciDescriptor } from './oci-schema.js';
import { readConfig, readManifest } from './open-image.js';
import { restoreLayer } from './restore-layer.js';
import { readIndex, referenceOf, writeIndex } from './store-index.js';
import type { StorePaths } from './store-paths.js';

export interface StoreProblem {
  readonly kind: 'blob' | 'layer' | 'image';
  /** The digest, diffID or name. */
  readonly what: string;
  readonly problem: string;
  /** What was done about it; undefined when nothing was, or could be. */
  readonly repaired?: string;
}

export interface StoreCheck {
  readonly blobs: number;
  readonly layers: number;
  readonly problems: readonly StoreProblem[];
}

/**
 * Read every blob and compare it with its digest; see that every layer is whole. With `repair`
 * damaged blobs are removed, layers unpacked anew where their blob is sound, and the names of images
 * that cannot be had any more are taken away.
 */
export async function checkStore(paths: StorePaths, { repair = false }: { readonly repair?: boolean } = {}): Promise<StoreCheck> {
  const problems: StoreProblem[] = [];
  const damaged = new Set<string>();
  const names = await entriesOf(paths.blobs);
  for (const name of names.filter((each) => !each.startsWith('.'))) {
    const digest = `sha256:${name}`;
    const is = await digestOf(paths.blob(digest));
    if (is === digest) continue;
    damaged.add(digest);
    if (repair) await rm(paths.blob(digest), { force: true });
    problems.push({ kind: 'blob', what: digest, problem: `its content is ${is}`, ...(repair ? { repaired: 'removed' } : {}) });
  }
  let layers = 0;
  const lost = new Set<OciDescriptor>();
  for (const descriptor of readIndex(paths).manifests) {
    const image = referenceOf(descriptor);
    const what = image ? formatReference(image) : descriptor.digest;
    try {
      const manifest = readManifest(paths, descriptor);
      const { rootfs } = readConfig(paths, manifest);
      for (const [i, blob] of manifest.layers.entries()) {
        const diffID = rootfs.diff_ids[i] ?? '';
        layers++;
        if (damaged.has(blob.digest))
          throw new ImageError({ code: 'STORE_CORRUPT', message: `its layer ${blob.digest} is damaged`, hint: 'Bring it in again.' });
        const meta = readLayerMeta(paths.meta(diffID));
        if (meta && isWhole(meta, paths)) continue;
        if (repair) await restoreLayer(paths, diffID, blob);
        problems.push({
          kind: 'layer',
          what: diffID,
          problem: meta ? 'it may not have reached the disk' : 'it is not unpacked',
          ...(repair ? { repaired: 'unpacked anew' } : {}),
        });
      }
    } catch (error) {
      if (!(error instanceof ImageError)) throw error;
      lost.add(descriptor);
      problems.push({ kind: 'image', what, problem: error.message, ...(repair ? { repaired: 'its name was taken away' } : {}) });
    }
  }
  if (repair && (lost.size || damaged.size)) {
    await using _index = await lockFile(paths.lock('index'));
    const gone = new Set([...lost].map(({ digest }) => digest));
    const index = readIndex(paths);
    await writeIndex(paths, { ...index, manifests: index.manifests.filter(({ digest }) => !gone.has(digest)) });
    await collectGarbage(paths);
  }
  return { blobs: names.length, layers, problems };
}

async function digestOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of await streamRegular(file, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  return `sha256:${hash.digest('hex')}`;
}
