import type { RegistryOptions } from './registry-options.js';

/** How far the upload of one blob is. */
export interface PushProgress {
  readonly digest: string;
  readonly state: 'uploading' | 'done' | 'present' | 'mounted';
  readonly bytes: number;
  readonly total: number;
}

/** Options of a push. */
export interface PushOptions extends RegistryOptions {
  /** Receives how far each blob is. */
  readonly onProgress?: (progress: PushProgress) => void;
}
