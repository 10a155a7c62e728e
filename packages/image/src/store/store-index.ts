import { FileMemory, lockFile } from '@lamella/syscall';
import { ImageError } from '../model/image-error.js';
import { formatReference, parseReference, type Reference } from '../model/reference.js';
import { clearPlace } from './clear-place.js';
import { writeAllDurably, writeDurably } from './durable-file.js';
import { makeDirectory } from './make-directory.js';
import { IndexSchema, type OciDescriptor, type OciIndex, parseDocument } from './oci-schema.js';
import type { StorePaths } from './store-paths.js';
import { readStored, textOfStored } from './stored-file.js';

/** Where image-layout.md puts the name of a manifest. */
export const REF_NAME = 'org.opencontainers.image.ref.name';
const EMPTY: OciIndex = { schemaVersion: 2, manifests: [] };
/** The content of `oci-layout` (image-layout.md). */
export const LAYOUT = '{"imageLayoutVersion":"1.0.0"}\n';

/** Of all that a store has on disk. One with a higher number was written by a Lamella that came later. */
export const VERSION = 1;

/**
 * Refuses a store that we could only damage.
 *
 * @throws ImageError `STORE_NEWER`, `STORE_CORRUPT`
 */
export function checkVersion(paths: StorePaths): void {
  const text = readStored(paths.version)?.toString('utf8');
  if (text === undefined) return;
  const version = Number(text);
  if (!Number.isSafeInteger(version) || version < 1)
    throw new ImageError({
      code: 'STORE_CORRUPT',
      message: `${paths.version} does not hold a number`,
      hint: 'Mend the store, if it is of this Lamella: lamella system check --repair',
    });
  if (version > VERSION)
    throw new ImageError({
      code: 'STORE_NEWER',
      message: `the store ${paths.root} is of version ${version}, and this Lamella knows ${VERSION}`,
      hint: 'Use the newer Lamella, or another store with --root.',
    });
}

/** Makes what is missing of the layout; nothing else is written. */
export async function createLayout(paths: StorePaths): Promise<void> {
  checkVersion(paths);
  for (const directory of [paths.root, paths.blobs, paths.layers, paths.imports, paths.locks]) makeDirectory(directory);
  if (textOfStored(paths.layout)?.trim() === LAYOUT.trim()) return;
  // What a killed one leaves of this is known by the lock that it held.
  await using _index = await lockFile(paths.lock('index'));
  await writeLayout(paths);
}

/** Writes what says that this is a store. The index lock is held. */
export async function writeLayout(paths: StorePaths): Promise<void> {
  for (const file of [paths.version, paths.layout]) await clearPlace(file);
  await writeDurably(paths.version, `${VERSION}\n`);
  await writeDurably(paths.layout, LAYOUT);
}

/**
 * The names and manifests of a store; empty when it does not exist. Where the index is lost or damaged, its copy is taken: without names
 * everything else would be garbage.
 *
 * @throws ImageError `STORE_CORRUPT` when both are damaged, or one is and the other was never written
 */
export function readIndex(paths: StorePaths): OciIndex {
  const known = KNOWN.get(paths.index, [paths.version, paths.index], () => {
    checkVersion(paths);
    const index = readOne(paths.index);
    return index instanceof ImageError ? undefined : index;
  });
  if (known) return known;
  const { index, copy } = readIndexes(paths);
  if (index && !(index instanceof ImageError)) return index;
  if (copy && !(copy instanceof ImageError)) return copy;
  const damage = index ?? copy;
  if (damage) throw damage;
  return EMPTY;
}

/** Indexes that were read before. */
const KNOWN = new FileMemory<OciIndex | undefined>();

/** The index and its copy: each its content, what is wrong with it, or undefined if it is missing. */
export function readIndexes(paths: StorePaths): { readonly index: OciIndex | ImageError | undefined; readonly copy: OciIndex | ImageError | undefined } {
  const index = readOne(paths.index);
  // The copy is looked at when it is needed: a run starts in milliseconds.
  let copy: OciIndex | ImageError | undefined;
  let read = false;
  return {
    index,
    get copy() {
      if (!read) copy = readOne(paths.indexCopy);
      read = true;
      return copy;
    },
  };
}

function readOne(file: string): OciIndex | ImageError | undefined {
  try {
    const content = readStored(file);
    return (
      content && parseDocument(IndexSchema, content.toString('utf8'), file, { code: 'STORE_CORRUPT', hint: 'Mend the store: lamella system check --repair' })
    );
  } catch (error) {
    if (error instanceof ImageError) return error;
    throw error;
  }
}

/** Digest of what the index lists: a byte that changed in a name is seen by it ({@link isSealed}). */
const SEAL = 'lamella.manifests';

async function sealOf({ manifests }: OciIndex): Promise<string> {
  // Node takes three milliseconds to load a hash, and a run only reads.
  const { createHash } = await import('node:crypto');
  return `sha256:${createHash('sha256').update(JSON.stringify(manifests)).digest('hex')}`;
}

/** Whether an index lists what was written; undefined when it has no seal: an earlier version or another tool wrote it. */
export async function isSealed(index: OciIndex): Promise<boolean | undefined> {
  const seal = index.annotations?.[SEAL];
  return seal === undefined ? undefined : seal === (await sealOf(index));
}

/** Writes the index, and then its copy: whenever the power goes, one of them is whole. The index lock is held. */
export async function writeIndex(paths: StorePaths, index: OciIndex): Promise<void> {
  const annotations = { [SEAL]: await sealOf(index) };
  const text = `${JSON.stringify({ mediaType: 'application/vnd.oci.image.index.v1+json', ...index, annotations }, undefined, 2)}\n`;
  const files = [paths.index, paths.indexCopy];
  for (const file of files) await clearPlace(file);
  await writeAllDurably(files, text);
}

/** The manifest a name stands for. */
export function findManifest(index: OciIndex, reference: Reference): OciDescriptor | undefined {
  const name = formatReference(reference);
  const exact = index.manifests.find((descriptor) => descriptor.annotations?.[REF_NAME] === name);
  if (exact || reference.digest === undefined) return exact;
  // By its digest an image is found whatever it is called, within its repository.
  const { domain, path } = reference;
  return index.manifests.find((descriptor) => {
    const found = descriptor.digest === reference.digest ? referenceOf(descriptor) : undefined;
    return found?.domain === domain && found.path === path;
  });
}

/** The index with a name pointing to another manifest. */
export function withManifest(index: OciIndex, reference: Reference, descriptor: OciDescriptor): OciIndex {
  const name = formatReference(reference);
  const others = index.manifests.filter((each) => each.annotations?.[REF_NAME] !== name);
  return { ...index, manifests: [...others, { ...descriptor, annotations: { ...descriptor.annotations, [REF_NAME]: name } }] };
}

/** What images are called whose names were lost with the index. */
const RECOVERED = 'localhost/recovered:';

/** The name of an image whose own was lost. */
export function recoveredName(digest: string): string {
  return `${RECOVERED}${digest.slice(7, 19)}`;
}

/** The index without such names of a manifest, which has its own again. */
export function withoutRecovered(index: OciIndex, { digest }: OciDescriptor): OciIndex {
  return { ...index, manifests: index.manifests.filter((each) => each.digest !== digest || !each.annotations?.[REF_NAME]?.startsWith(RECOVERED)) };
}

/** The name a manifest has in the index. */
export function referenceOf(descriptor: OciDescriptor): Reference | undefined {
  const name = descriptor.annotations?.[REF_NAME];
  return name === undefined ? undefined : parseReference(name);
}
