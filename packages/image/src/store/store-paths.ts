import path from 'node:path';

/** Where the parts of a store are; ARCHITECTURE.md, "On disk". */
export class StorePaths {
  /** Absolute path of the store. */
  readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  /** A number; see store-index.ts. */
  get version(): string {
    return path.join(this.root, 'version');
  }

  /** The OCI image layout (image-spec, image-layout.md). */
  get images(): string {
    return path.join(this.root, 'images');
  }

  /** The index of the OCI image layout. */
  get index(): string {
    return path.join(this.images, 'index.json');
  }

  /** What the index says, once more: see store-index.ts. */
  get indexCopy(): string {
    return path.join(this.images, 'index.json.copy');
  }

  /** The file with the version of the OCI image layout. */
  get layout(): string {
    return path.join(this.images, 'oci-layout');
  }

  /** Blobs by their digests. */
  get blobs(): string {
    return path.join(this.images, 'blobs', 'sha256');
  }

  /** Layers by their diffIDs. */
  get layers(): string {
    return path.join(this.root, 'layers');
  }

  /** What stacks of layers need beside the layers; see chain.ts. */
  get chains(): string {
    return path.join(this.root, 'chains');
  }

  /** Layers as they are on top of certain others; see rebase-layer.ts. */
  get rebased(): string {
    return path.join(this.root, 'rebased');
  }

  /** The engine's; what is read of them is in held-by-containers.ts. */
  get containers(): string {
    return path.join(this.root, 'containers');
  }

  /** Records of imported files. */
  get imports(): string {
    return path.join(this.root, 'imports');
  }

  /** Files that are locked with flock(2). */
  get locks(): string {
    return path.join(this.root, 'locks');
  }

  /** The file of a blob. */
  blob(digest: string): string {
    return path.join(this.blobs, digest.slice('sha256:'.length));
  }

  /** The directory of a layer: `fs/` is its tree, `meta.json` tells of it. */
  layer(diffID: string): string {
    return path.join(this.layers, diffID.slice('sha256:'.length));
  }

  /** The unpacked tree of a layer. */
  tree(diffID: string): string {
    return path.join(this.layer(diffID), 'fs');
  }

  /** What is recorded of a layer. */
  meta(diffID: string): string {
    return path.join(this.layer(diffID), 'meta.json');
  }

  /** A layer's blob, until an image refers to it. */
  stagedBlob(diffID: string, digest: string): string {
    return path.join(this.layer(diffID), stagedName(digest));
  }

  /** The directory of a stack of layers. @param id its chainID (image-spec, config.md) */
  chain(id: string): string {
    return path.join(this.chains, id.slice('sha256:'.length));
  }

  /** The tree of a stack of layers. */
  chainTree(id: string): string {
    return path.join(this.chain(id), 'fs');
  }

  /** What is recorded of a stack of layers. */
  chainMeta(id: string): string {
    return path.join(this.chain(id), 'meta.json');
  }

  /** The directory of a rebased layer. @param id the chainID of the stack that the layer is the topmost of */
  rebasedLayer(id: string): string {
    return path.join(this.rebased, id.slice('sha256:'.length));
  }

  /** The file of a lock. */
  lock(name: string): string {
    return path.join(this.locks, name);
  }
}

/** What a layer's blob is called in its directory. */
export function stagedName(digest: string): string {
  return `blob-${digest.slice('sha256:'.length)}`;
}
