import type { ApplyOptions } from './apply-options.js';

/** Options of an import. */
export interface ImportOptions extends Pick<ApplyOptions, 'signal' | 'maxEntries'> {
  /** Called as bytes of the archive are taken; `total` is its length, when it is a file. */
  readonly onProgress?: (progress: { readonly bytes: number; readonly entries: number; readonly total: number | undefined }) => void;
}
