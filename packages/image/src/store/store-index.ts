import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { ImageError } from '../image-error.js';
import { formatReference, parseReference, type Reference } from '../reference.js';
import { writeDurably } from './durable-file.js';
import { makeDirectory } from './make-directory.js';
import { IndexSchema, type OciDescriptor, type OciIndex, parseDocument } from './oci-schema.js';
import type { StorePaths } from './store-paths.js';

/** Where image-layout.md puts the name of a manifest. */
export const REF_NAME = 'org.opencontainers.image.ref.name';
const EMPTY: OciIndex = { schemaVersion: 2, manifests: [] };

/** Of all that a store has on disk. One with a higher number was written by a Lamella that came later. */
const VERSION = 1;

/**
 * Refuse a store that we could only damage.
 *
 * @throws ImageError `STORE_NEWER`, `STORE_CORRUPT`
 */
function checkVersion(paths: StorePaths): void {
  let text: string;
  try {
    text = readFileSync(paths.version, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  const version = Number(text);
  if (!Number.isSafeInteger(version) || version < 1)
    throw new ImageError({
      code: 'STORE_CORRUPT',
      message: `${paths.version} does not hold a number`,
      hint: `Write ${VERSION} into it if the store is of this Lamella.`,
    });
  if (version > VERSION)
    throw new ImageError({
      code: 'STORE_NEWER',
      message: `the store ${paths.root} is of version ${version}, and this Lamella knows ${VERSION}`,
      hint: 'Use the newer Lamella, or another store with --root.',
    });
}

/** Make what is missing of the layout; nothing else is written. */
export async function createLayout(paths: StorePaths): Promise<void> {
  checkVersion(paths);
  for (const directory of [paths.root, paths.blobs, paths.layers, paths.imports, paths.locks]) makeDirectory(directory);
  const layout = `${paths.images}/oci-layout`;
  const there = await readFile(layout, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (there) return;
  await writeDurably(paths.version, `${VERSION}\n`);
  await writeDurably(layout, '{"imageLayoutVersion":"1.0.0"}\n');
}

/** The names and manifests of a store; empty when it does not exist. */
export function readIndex(paths: StorePaths): OciIndex {
  checkVersion(paths);
  let text: string;
  try {
    text = readFileSync(paths.index, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return EMPTY;
    throw error;
  }
  return parseDocument(IndexSchema, text, paths.index);
}

export async function writeIndex(paths: StorePaths, index: OciIndex): Promise<void> {
  await writeDurably(paths.index, `${JSON.stringify({ mediaType: 'application/vnd.oci.image.index.v1+json', ...index }, undefined, 2)}\n`);
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

/** The name a manifest has in the index. */
export function referenceOf(descriptor: OciDescriptor): Reference | undefined {
  const name = descriptor.annotations?.[REF_NAME];
  return name === undefined ? undefined : parseReference(name);
}
