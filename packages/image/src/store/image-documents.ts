import { createHash } from 'node:crypto';
import { ImageError } from '../model/image-error.js';
import { ConfigSchema, ManifestSchema, type OciConfig, type OciDescriptor, type OciManifest, parseDocument } from './oci-schema.js';
import type { StorePaths } from './store-paths.js';
import { readStored } from './stored-file.js';

/** The manifest of an image in the store, its digest compared. @throws ImageError `STORE_CORRUPT` */
export function readManifest(paths: StorePaths, descriptor: OciDescriptor): OciManifest {
  const file = paths.blob(descriptor.digest);
  return parseDocument(ManifestSchema, readVerified(file, descriptor.digest), file);
}

/** The config that a manifest names, its digest compared. @throws ImageError `STORE_CORRUPT` */
export function readConfig(paths: StorePaths, manifest: OciManifest): OciConfig {
  const file = paths.blob(manifest.config.digest);
  return parseDocument(ConfigSchema, readVerified(file, manifest.config.digest), file);
}

function readBlob(file: string): Buffer {
  const content = readStored(file);
  if (!content) throw damaged(file, 'is missing', undefined);
  return content;
}

/** A document of which only the size in bytes is compared. @throws ImageError `STORE_CORRUPT` */
export function readWhole(file: string, size: number): string {
  const content = readBlob(file);
  if (content.length !== size) throw damaged(file, `has ${content.length} bytes instead of ${size}`, undefined);
  return content.toString('utf8');
}

function readVerified(file: string, digest: string): string {
  const content = readBlob(file);
  if (`sha256:${createHash('sha256').update(content).digest('hex')}` !== digest) throw damaged(file, 'does not have the content of its digest', undefined);
  return content.toString('utf8');
}

/** What to say of a document, or of a layer's notes, that cannot be used. */
export function damaged(file: string, what: string, cause: unknown): ImageError {
  return new ImageError({
    code: 'STORE_CORRUPT',
    message: `${file} ${what}`,
    hint: 'Remove the image (lamella rmi) and bring it in again.',
    ...(cause === undefined ? {} : { cause }),
  });
}
