export interface UnpackOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: { readonly bytes: number; readonly entries: number; readonly total: number }) => void;
}
