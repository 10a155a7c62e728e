import { open } from 'node:fs/promises';
import { lockFile } from '@lamella/syscall';
import { ImageError } from '../model/image-error.js';
import type { LayerProblem, VerifyOptions } from '../model/layer-check.js';
import { lastOfEach } from '../stack/chain.js';
import type { NotedLayer } from '../stack/layer-stack.js';
import { stackLayers } from '../stack/stack-layers.js';
import { readConfig, readManifest } from '../store/image-documents.js';
import { isWhole, readLayerMeta } from '../store/layer-meta.js';
import type { OciDescriptor, OciManifest } from '../store/oci-schema.js';
import type { StorePaths } from '../store/store-paths.js';
import type { Problems } from './problems.js';
import { isLayerUntouched } from './verified-times.js';
import { blobProblem, distrustBlob } from './verify-blob.js';
import { obviousProblem, verifyLayer } from './verify-layer.js';

/** What a check has found out, for images share blobs and layers. */
export interface Verdicts extends VerifyOptions {
  readonly problems: Problems;
  /** When blobs were known to be right; see publishedTimes. */
  readonly published: ReadonlyMap<string, number>;
  readonly blobs: Map<string, string | undefined>;
  readonly layers: Map<string, boolean>;
}

/** What an image can still be used for. */
export type ImageState = 'sound' | 'runs' | 'lost';

/**
 * Looks at one image: its documents, blobs and trees, and what was made for its stack. With `repair` what its blobs allow is made anew.
 *
 * @returns `runs` when only blobs are damaged, so that it cannot be saved, pushed or unpacked again
 */
export async function checkImage(paths: StorePaths, what: string, descriptor: OciDescriptor, verdicts: Verdicts): Promise<ImageState> {
  const again = what.startsWith('localhost/')
    ? 'load or import it as before; or pull it by the name that its registry has'
    : `lamella pull ${what}, or load or import it as before`;
  const hint = `Bring it in again: ${again}`;
  let manifest: OciManifest;
  let diffIDs: readonly string[];
  try {
    manifest = readManifest(paths, descriptor);
    diffIDs = readConfig(paths, manifest).rootfs.diff_ids;
    if (diffIDs.length !== manifest.layers.length)
      throw new ImageError({ code: 'STORE_CORRUPT', message: 'its manifest and its config disagree about its layers', hint });
  } catch (error) {
    if (!(error instanceof ImageError) || error.code !== 'STORE_CORRUPT') throw error;
    verdicts.problems.add({ kind: 'image', what, problem: error.message, hint });
    return 'lost';
  }
  let blobs = true;
  let trees = true;
  for (const [i, blob] of manifest.layers.entries()) {
    const diffID = diffIDs[i] as string;
    const sound = await checkBlob(paths, blob, verdicts);
    const whole = await checkLayer(paths, { diffID, blob, sound, what }, verdicts);
    if (!sound) verdicts.problems.add({ kind: 'image', what, problem: `the blob ${blob.digest} of its layer ${i + 1} is damaged or missing`, hint });
    if (!sound && !whole) verdicts.problems.add({ kind: 'image', what, problem: `its layer ${i + 1}, ${diffID}, cannot be unpacked again`, hint });
    blobs &&= sound;
    trees &&= whole;
  }
  if (blobs && trees) await checkStack(paths, manifest, diffIDs, verdicts);
  return blobs && trees ? 'sound' : trees ? 'runs' : 'lost';
}

async function checkBlob(paths: StorePaths, blob: OciDescriptor, { blobs, full, published, problems, repair }: Verdicts): Promise<boolean> {
  if (!blobs.has(blob.digest)) {
    const problem = await blobProblem(paths.blob(blob.digest), blob, full ? 0 : published.get(blob.digest));
    blobs.set(blob.digest, problem);
    if (problem !== undefined) {
      problems.add({ kind: 'blob', what: blob.digest, problem });
      if (repair) distrustBlob(paths.blob(blob.digest));
    }
  }
  return blobs.get(blob.digest) === undefined;
}

/** @returns whether the layer's tree is right now */
async function checkLayer(
  paths: StorePaths,
  { diffID, blob, sound, what }: { readonly diffID: string; readonly blob: OciDescriptor; readonly sound: boolean; readonly what: string },
  { layers, problems, full, repair }: Verdicts,
): Promise<boolean> {
  const known = layers.get(diffID);
  if (known !== undefined) return known;
  const tell = ({ problem, differences, repaired }: LayerProblem): boolean => {
    problems.add({ kind: 'layer', what: diffID, problem, ...(differences ? { differences } : {}), ...(repaired ? { repaired: 'unpacked anew' } : {}) });
    return repaired;
  };
  await using _turn = await lockFile(paths.lock(`layer-${diffID.slice(7, 9)}`));
  let whole: boolean;
  if (sound)
    try {
      const found = await verifyLayer(paths, diffID, { digest: blob.digest, file: paths.blob(blob.digest) }, { full, repair });
      whole = found === undefined || tell(found);
    } catch (error) {
      if (!(error instanceof ImageError)) throw error;
      problems.add({ kind: 'layer', what: diffID, problem: `its files were not compared with its blob: ${error.message}`, hint: error.hint ?? `See: ${what}` });
      whole = false;
    }
  else {
    const obvious = obviousProblem(paths, diffID) ?? ((await isLayerUntouched(paths, diffID)) ? undefined : 'its files were touched after they were unpacked');
    whole = obvious === undefined || tell({ problem: obvious, repaired: false });
  }
  layers.set(diffID, whole);
  return whole;
}

/** What a stack needs beside its layers. Where it is not there yet, the next run makes it. */
async function checkStack(paths: StorePaths, manifest: OciManifest, diffIDs: readonly string[], { full, repair, problems }: Verdicts): Promise<void> {
  const layers: NotedLayer[] = [];
  for (const diffID of lastOfEach(diffIDs)) {
    const meta = readLayerMeta(paths.meta(diffID));
    if (!meta || !isWhole(meta, paths)) return;
    layers.unshift({ diffID, path: paths.tree(diffID), lock: paths.meta(diffID), meta });
  }
  const report = (id: string, { problem, differences, repaired }: LayerProblem): void =>
    problems.add({ kind: 'layer', what: id, problem, ...(differences ? { differences } : {}), ...(repaired ? { repaired: 'made anew' } : {}) });
  await stackLayers(paths, layers, (diffID) => open(paths.blob((manifest.layers[diffIDs.indexOf(diffID)] as OciDescriptor).digest)), { full, repair, report });
}
