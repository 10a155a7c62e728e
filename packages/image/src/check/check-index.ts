import { lstatSync } from 'node:fs';
import { FILE_BOUNDS, lockFile } from '@lamella/syscall';
import { ImageError } from '../model/image-error.js';
import { entriesOf } from '../store/entries-of.js';
import { readConfig, readManifest } from '../store/image-documents.js';
import { MEDIA_TYPES, type OciDescriptor, type OciIndex } from '../store/oci-schema.js';
import { checkVersion, isSealed, LAYOUT, REF_NAME, readIndexes, recoveredName, VERSION, writeIndex, writeLayout } from '../store/store-index.js';
import type { StorePaths } from '../store/store-paths.js';
import { textOfStored } from '../store/stored-file.js';
import type { Problems } from './problems.js';

/**
 * Looks at the books of a store: its version, the mark of the layout, the index and its copy. With `repair` each is written anew: an index
 * from the other one, or where both are lost from the manifests among the blobs, whose names are lost then.
 *
 * @returns the index that can be used; undefined if there is none
 * @throws ImageError `STORE_NEWER`
 */
export async function checkIndex(paths: StorePaths, problems: Problems, repair: boolean): Promise<OciIndex | undefined> {
  await checkMarks(paths, problems, repair);
  const read = readIndexes(paths);
  const [index, copy] = [await verdictOn(read.index, paths.index), await verdictOn(read.copy, paths.indexCopy)];
  const sound = index.sound ?? copy.sound;
  const usable = sound ?? index.readable ?? copy.readable;
  if (!usable) {
    const manifests = await manifestsAmongBlobs(paths);
    if (!manifests.length && !read.index && !read.copy) return { schemaVersion: 2, manifests: [] };
    return await rebuild(paths, problems, manifests, { why: index.problem ?? 'it is missing', repair });
  }
  const found: [file: string, problem: string][] = [];
  if (index.problem !== undefined) found.push([paths.index, index.problem]);
  if (copy.problem !== undefined) found.push([paths.indexCopy, copy.problem]);
  else if (index.sound && copy.sound && JSON.stringify(index.sound) !== JSON.stringify(copy.sound))
    found.push([paths.indexCopy, 'it does not say what the index says']);
  if (repair && (found.length || index.isUnsealed)) {
    await using _index = await lockFile(paths.lock('index'));
    // If another process wrote it meanwhile, it wrote both.
    if (JSON.stringify(readIndexes(paths).index) === JSON.stringify(read.index)) await writeIndex(paths, usable);
  }
  const from = index.sound ? 'written anew from the index' : copy.sound ? 'written anew from its copy' : 'written anew as far as it can be read';
  for (const [what, problem] of found) problems.add({ kind: 'index', what, problem, ...(repair ? { repaired: from } : {}) });
  return usable;
}

interface Verdict {
  readonly sound?: OciIndex;
  readonly readable?: OciIndex;
  readonly problem?: string;
  readonly isUnsealed?: boolean;
}

async function verdictOn(index: OciIndex | ImageError | undefined, file: string): Promise<Verdict> {
  if (index === undefined) return { problem: 'it is missing' };
  if (index instanceof ImageError) return { problem: `it is damaged: ${index.message}` };
  const sealed = await isSealed(index);
  if (sealed) return { sound: index, readable: index };
  if (sealed === false) return { readable: index, problem: 'it does not list what was written into it' };
  // Its names are in no other place, so it goes before a sealed copy, which can be older.
  if (isReadWhole(index, file)) return { sound: index, readable: index, isUnsealed: true };
  return { readable: index, problem: 'it is damaged: its list of manifests cannot be read' };
}

/** Whether an index lists all that its file does: a list with an entry that cannot be read is read as an empty one. */
function isReadWhole({ manifests }: OciIndex, file: string): boolean {
  if (manifests.length) return true;
  const whole: { readonly manifests?: unknown } | null = JSON.parse(textOfStored(file)?.trim() || 'null');
  return Array.isArray(whole?.manifests) && !whole.manifests.length;
}

/** `version` and `oci-layout`. A missing version is written if the rest can be read. */
async function checkMarks(paths: StorePaths, problems: Problems, repair: boolean): Promise<void> {
  const damaged: [file: string, problem: string][] = [];
  try {
    checkVersion(paths);
    if (textOfStored(paths.version) === undefined) damaged.push([paths.version, 'it is missing']);
  } catch (error) {
    if (!(error instanceof ImageError) || error.code !== 'STORE_CORRUPT') throw error;
    damaged.push([paths.version, `it is not the number ${VERSION}`]);
  }
  if (textOfStored(paths.layout)?.trim() !== LAYOUT.trim()) damaged.push([paths.layout, 'it is missing, or not what an OCI image layout has']);
  if (repair && damaged.length) {
    await using _index = await lockFile(paths.lock('index'));
    await writeLayout(paths);
  }
  for (const [what, problem] of damaged) problems.add({ kind: 'store', what, problem, ...(repair ? { repaired: 'written anew' } : {}) });
}

async function rebuild(
  paths: StorePaths,
  problems: Problems,
  manifests: readonly OciDescriptor[],
  { why, repair }: { readonly why: string; readonly repair: boolean },
): Promise<OciIndex | undefined> {
  const named = manifests.map((each) => ({ ...each, annotations: { [REF_NAME]: recoveredName(each.digest) } }));
  const index: OciIndex = { schemaVersion: 2, manifests: named };
  if (repair) {
    await using _index = await lockFile(paths.lock('index'));
    await writeIndex(paths, index);
  }
  const names = named.map((each) => each.annotations[REF_NAME]).join(', ');
  problems.add({
    kind: 'index',
    what: paths.index,
    problem: `${why}, and so is its copy: the names of ${manifests.length} images are lost`,
    ...(repair ? { repaired: named.length ? `made anew; the images are called ${names}` : 'made anew, without images' } : {}),
    hint: 'Load or pull the images again, or give them their names: lamella tag localhost/recovered:… NAME',
  });
  return repair ? index : undefined;
}

/** Blobs that are manifests of images whose configs are there, too. */
async function manifestsAmongBlobs(paths: StorePaths): Promise<OciDescriptor[]> {
  const found: OciDescriptor[] = [];
  for (const name of await entriesOf(paths.blobs)) {
    const digest = `sha256:${name}`;
    const size = /^[0-9a-f]{64}$/.test(name) ? (lstatSync(paths.blob(digest), { throwIfNoEntry: false })?.size ?? 0) : 0;
    if (!size || size > FILE_BOUNDS.document.bytes) continue;
    try {
      const manifest = readManifest(paths, { digest, size, mediaType: '' });
      readConfig(paths, manifest);
      found.push({ mediaType: manifest.mediaType ?? MEDIA_TYPES.manifest[0], digest, size });
    } catch (error) {
      if (!(error instanceof ImageError) || error.code !== 'STORE_CORRUPT') throw error;
    }
  }
  return found;
}
