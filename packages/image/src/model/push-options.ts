import type { RegistryOptions } from './registry-options.js';

export interface PushProgress {
  readonly digest: string;
  readonly state: 'uploading' | 'done' | 'present' | 'mounted';
  readonly bytes: number;
  readonly total: number;
}

export interface PushOptions extends RegistryOptions {
  readonly onProgress?: (progress: PushProgress) => void;
}
