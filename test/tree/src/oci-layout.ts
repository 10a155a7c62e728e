import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';

/** What of an image a test wants to say; the rest is as it should be. */
export interface LayoutOptions {
  readonly name?: string;
  readonly config?: Readonly<Record<string, unknown>>;
  readonly compress?: 'none' | 'gzip';
  /** Change the documents before they are written, to lie. */
  readonly edit?: (documents: { config: Record<string, unknown>; manifest: Record<string, unknown> }) => void;
}

const sha256 = (bytes: Uint8Array): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

/** Write an OCI image layout with an image of these layers (archives, from the bottom up). */
export function ociLayout(
  directory: string,
  layers: readonly Uint8Array[],
  options: LayoutOptions = {},
): { digest: string; diffIDs: string[]; blobs: string[] } {
  const blobs = path.join(directory, 'blobs/sha256');
  mkdirSync(blobs, { recursive: true });
  const put = (content: Uint8Array, mediaType: string): { mediaType: string; digest: string; size: number } => {
    const digest = sha256(content);
    writeFileSync(path.join(blobs, digest.slice(7)), content);
    return { mediaType, digest, size: content.length };
  };
  const json = (document: unknown): Buffer => Buffer.from(JSON.stringify(document));
  const gzip = options.compress !== 'none';
  const descriptors = layers.map((layer) => put(gzip ? gzipSync(layer, { level: 1 }) : layer, `application/vnd.oci.image.layer.v1.tar${gzip ? '+gzip' : ''}`));
  const config: Record<string, unknown> = {
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    config: options.config ?? {},
    rootfs: { type: 'layers', diff_ids: layers.map(sha256) },
  };
  const manifest: Record<string, unknown> = { schemaVersion: 2, mediaType: 'application/vnd.oci.image.manifest.v1+json', layers: descriptors };
  options.edit?.({ config, manifest });
  manifest.config ??= put(json(config), 'application/vnd.oci.image.config.v1+json');
  const descriptor = put(json(manifest), 'application/vnd.oci.image.manifest.v1+json');
  writeFileSync(path.join(directory, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  const annotations = { 'org.opencontainers.image.ref.name': options.name ?? 'latest' };
  writeFileSync(path.join(directory, 'index.json'), json({ schemaVersion: 2, manifests: [{ ...descriptor, annotations }] }));
  return { digest: descriptor.digest, diffIDs: layers.map(sha256), blobs: descriptors.map(({ digest }) => path.join(blobs, digest.slice(7))) };
}
