import type { Reference } from '../model/reference.js';

/** A layer that is unpacked and ready to be a lowerdir. */
export interface LayerDir {
  readonly diffID: string;
  /** Absolute path of its tree. */
  readonly path: string;
  /** A file to hold a shared flock(2) on for as long as the tree is mounted: `rmi` asks it. */
  readonly lock: string;
}

/** An image, ready to run. */
export interface Image {
  readonly reference: Reference;
  /** Digest of its manifest. */
  readonly digest: string;
  /** The topmost first, as overlayfs wants them. */
  readonly layers: readonly LayerDir[];
  readonly config: ImageConfig;
  /** As its config says; nothing where that does not. */
  readonly platform?: ImagePlatform;
}

/** The platform in an image's config. */
export interface ImagePlatform {
  readonly os?: string;
  readonly architecture: string;
  readonly variant?: string;
}

/** The configuration of processes in an image (image-spec, config.md). */
export interface ImageConfig {
  readonly user?: string;
  /** `NAME=value` */
  readonly env: readonly string[];
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly workingDir?: string;
  /** Paths whose content is the container's own, writable whatever the root is. */
  readonly volumes?: readonly string[];
  /** How to ask its process to end: a signal's name or number. */
  readonly stopSignal?: string;
  /** `PORT/PROTOCOL` */
  readonly exposedPorts?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
}

/** An image as `lamella images` lists it. */
export interface ImageSummary {
  readonly reference: Reference;
  readonly digest: string;
  /** When it was made or imported, ISO 8601. */
  readonly created: string | undefined;
  /** Bytes of its blobs. */
  readonly size: number;
  readonly layers: readonly string[];
  /** Why it cannot be used, when it is damaged: then the rest is not known. */
  readonly damaged?: string;
  /** `linux/arm64`; nothing where its config does not say. */
  readonly platform?: string;
}
