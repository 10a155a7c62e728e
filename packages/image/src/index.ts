export type { Compression } from './compression.js';
export type { Image, ImageConfig, ImageSummary, LayerDir } from './image.js';
export { ImageError } from './image-error.js';
export { type AppliedLayer, type ApplyOptions, applyLayer, type LayerBlob } from './layer/apply-layer.js';
export { familiarReference, formatReference, parseReference, type Reference } from './reference.js';
export { ImageStore } from './store/image-store.js';
export type { ImportOptions, ImportResult } from './store/import-archive.js';
export type { RemovedImage } from './store/remove-image.js';
export { unpackDirectory } from './unpack-directory.js';
