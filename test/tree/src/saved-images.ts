import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { type Member, tarArchive } from './tar-archive.js';

/** An image as a program saves it. */
export interface ImageToSave {
  /** Archives, from the bottom up. */
  readonly layers: readonly Uint8Array[];
  /** Whole names with tags, `docker.io/library/app:v1`. */
  readonly names: readonly string[];
  /** What sets its config apart from others'. */
  readonly config?: Readonly<Record<string, unknown>>;
}

/**
 * The programs that save:
 * - `docker-20`: `manifest.json` alone (moby up to 24, image/tarexport/save.go);
 * - `docker-25`: an OCI layout of plain layers, one descriptor for each tag, with `manifest.json` beside (moby 25);
 * - `containerd`: as nerdctl, ctr and Docker with containerd's store: indexes of which one platform is there, with an
 *   attestation, and `manifest.json` beside (containerd, images/archive/exporter.go);
 * - `buildx`: the same without `manifest.json` (`--output type=oci`);
 * - `podman`: a layout with whole names in `ref.name`.
 */
export type Saver = 'docker-20' | 'docker-25' | 'containerd' | 'buildx' | 'podman';
export const SAVERS: readonly Saver[] = ['docker-20', 'docker-25', 'containerd', 'buildx', 'podman'];

const OCI = 'application/vnd.oci.image';
const digits = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const json = (document: unknown): Buffer => Buffer.from(JSON.stringify(document));
const ARCHITECTURE = process.arch === 'x64' ? 'amd64' : process.arch;
const OTHER = ARCHITECTURE === 'arm64' ? 'amd64' : 'arm64';

/** The members of what a program saves of images, as it does. */
export function savedImages(images: readonly ImageToSave[], saver: Saver): Map<string, Buffer> {
  const files = new Map<string, Buffer>();
  const descriptors: unknown[] = [];
  const manifestJson: unknown[] = [];
  const repositories: Record<string, Record<string, string>> = {};
  const isLayout = saver !== 'docker-20';
  const put = (content: Uint8Array, mediaType: string): { mediaType: string; digest: string; size: number } => {
    files.set(`blobs/sha256/${digits(content)}`, Buffer.from(content));
    return { mediaType, digest: `sha256:${digits(content)}`, size: content.length };
  };
  for (const { layers, names, config = {} } of images) {
    const configBytes = json({
      architecture: ARCHITECTURE,
      os: 'linux',
      config,
      rootfs: { type: 'layers', diff_ids: layers.map((layer) => `sha256:${digits(layer)}`) },
    });
    const familiar = names.map((name) => name.replace(/^docker\.io\/(?:library\/)?/, ''));
    const top = layers.at(-1);
    for (const name of familiar) {
      const [repository, tag] = [name.slice(0, name.lastIndexOf(':')), name.slice(name.lastIndexOf(':') + 1)];
      repositories[repository] = { ...repositories[repository], [tag]: top ? digits(top) : '' };
    }
    if (!isLayout) {
      files.set(`${digits(configBytes)}.json`, configBytes);
      for (const layer of layers) {
        const id = digits(Buffer.concat([layer, Buffer.from('id')]));
        files.set(`${id}/VERSION`, Buffer.from('1.0'));
        files.set(`${id}/json`, json({ id }));
        files.set(`${id}/layer.tar`, Buffer.from(layer));
      }
      const paths = layers.map((layer) => `${digits(Buffer.concat([layer, Buffer.from('id')]))}/layer.tar`);
      manifestJson.push({ Config: `${digits(configBytes)}.json`, RepoTags: familiar.length ? familiar : null, Layers: paths });
      continue;
    }
    const gzip = saver !== 'docker-25';
    const layerDescriptors = layers.map((layer) => put(gzip ? gzipSync(layer, { level: 1 }) : layer, `${OCI}.layer.v1.tar${gzip ? '+gzip' : ''}`));
    const configDescriptor = put(configBytes, `${OCI}.config.v1+json`);
    const manifest = put(
      json({ schemaVersion: 2, mediaType: `${OCI}.manifest.v1+json`, config: configDescriptor, layers: layerDescriptors }),
      `${OCI}.manifest.v1+json`,
    );
    let root: { mediaType: string; digest: string; size: number } = manifest;
    if (saver === 'containerd' || saver === 'buildx') {
      const absent = { mediaType: `${OCI}.manifest.v1+json`, digest: `sha256:${'c'.repeat(64)}`, size: 500 };
      const attestation = put(
        json({ schemaVersion: 2, mediaType: `${OCI}.manifest.v1+json`, config: configDescriptor, layers: [] }),
        `${OCI}.manifest.v1+json`,
      );
      const annotations = { 'vnd.docker.reference.digest': manifest.digest, 'vnd.docker.reference.type': 'attestation-manifest' };
      const manifests = [
        { ...manifest, platform: { architecture: ARCHITECTURE, os: 'linux' } },
        ...(saver === 'containerd' ? [{ ...absent, platform: { architecture: OTHER, os: 'linux' } }] : []),
        { ...attestation, annotations, platform: { architecture: 'unknown', os: 'unknown' } },
      ];
      root = put(json({ schemaVersion: 2, mediaType: `${OCI}.index.v1+json`, manifests }), `${OCI}.index.v1+json`);
    }
    for (const name of names) {
      const tag = name.slice(name.lastIndexOf(':') + 1);
      const annotations =
        saver === 'podman'
          ? { 'org.opencontainers.image.ref.name': name }
          : { 'io.containerd.image.name': name, 'org.opencontainers.image.ref.name': tag, 'org.opencontainers.image.created': '2026-01-01T00:00:00Z' };
      descriptors.push({ ...root, annotations });
    }
    if (!names.length) descriptors.push(root);
    manifestJson.push({
      Config: `blobs/sha256/${configDescriptor.digest.slice(7)}`,
      RepoTags: familiar.length ? familiar : null,
      Layers: layerDescriptors.map(({ digest }) => `blobs/sha256/${digest.slice(7)}`),
      LayerSources: Object.fromEntries(layers.map((layer, i) => [`sha256:${digits(layer)}`, layerDescriptors[i]])),
    });
  }
  if (isLayout) {
    files.set('index.json', json({ schemaVersion: 2, mediaType: `${OCI}.index.v1+json`, manifests: descriptors }));
    files.set('oci-layout', json({ imageLayoutVersion: '1.0.0' }));
  }
  if (saver !== 'podman' && saver !== 'buildx') files.set('manifest.json', json(manifestJson));
  if (saver.startsWith('docker')) files.set('repositories', json(repositories));
  return files;
}

/** The same as one archive, with the directories that such archives have. */
export function savedArchive(files: ReadonlyMap<string, Uint8Array>): Buffer {
  const members: Member[] = [];
  const directories = new Set<string>();
  for (const [name, data] of files) {
    for (let at = name.indexOf('/'); at >= 0; at = name.indexOf('/', at + 1))
      if (!directories.has(name.slice(0, at))) {
        directories.add(name.slice(0, at));
        members.push({ name: `${name.slice(0, at)}/`, type: '5' });
      }
    members.push({ name, data });
  }
  return tarArchive(members);
}
