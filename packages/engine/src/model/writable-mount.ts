import type { ExpectedDirectories } from '@lamella/overlay';
import type { Source } from './source.js';

/** A part of what a container sees that it can write to, and what takes up what it writes. All paths are absolute. */
export interface WritableMount {
  /** Where it is seen inside. */
  readonly destination: string;
  /** The directory that takes up what is written. */
  readonly upperdir: string;
  /** The work directory of overlayfs, on the same filesystem. */
  readonly workdir: string;
  /** What was written before checkpoints, the latest first. */
  readonly frozen: readonly string[];
  /** What is below all that, the topmost first. */
  readonly lowerdirs: readonly string[];
  /** What its changes are compared with, where it stands on a copy of that. */
  readonly compared?: readonly string[];
  /** Its marks are files, for fuse-overlayfs(1) shows it. */
  readonly files: boolean;
  /** The directory of the host that it shows, without links: what its changes can be applied to. The root of an image has none. */
  readonly source: string | undefined;
  /** The directory of the host that was changed, if something else, or nothing, is there now. Then it has no source. */
  readonly gone?: string;
}

/** A view whose source was compared with what the container was given. A program that opens it expects that object. */
export interface CheckedMount extends WritableMount {
  /** The directories that a program must find when it mounts the view. */
  readonly expected: ExpectedDirectories;
  /** What its source is; nothing for `/`, and where it has none. */
  readonly given: Source | undefined;
}
