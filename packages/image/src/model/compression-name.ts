/** How an archive is compressed. */
export type Compression = 'none' | 'gzip' | 'zstd' | 'xz';
