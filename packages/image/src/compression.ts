import { Duplex, PassThrough } from 'node:stream';
import { createGunzip, createZstdDecompress, type ZlibOptions, type ZstdOptions } from 'node:zlib';
import { ImageError } from './image-error.js';

export type Compression = 'none' | 'gzip' | 'zstd' | 'xz';

/** Inflated bytes come in pieces of this size: large, because each is a trip to a thread. */
const CHUNK = 256 * 1024;
/** So much is inflated ahead, while the main thread parses. */
const AHEAD = 2 * CHUNK;

/**
 * What an archive is compressed with, by its first bytes.
 *
 * @throws ImageError `ARCHIVE_COMPRESSION` for formats that are recognised but not read
 */
export function detectCompression(head: Buffer): Compression {
  const starts = (...bytes: number[]): boolean => bytes.every((byte, i) => head[i] === byte);
  if (starts(0x1f, 0x8b)) return 'gzip';
  if (starts(0x28, 0xb5, 0x2f, 0xfd)) return 'zstd';
  // A skippable frame may come first (RFC 8878, 3.1.2).
  if (head.length >= 4 && head.readUInt32LE(0) >>> 4 === 0x184d2a5) return 'zstd';
  if (starts(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00)) return 'xz';
  const other = starts(0x42, 0x5a, 0x68) ? 'bzip2' : starts(0x50, 0x4b, 0x03, 0x04) ? 'zip' : starts(0x37, 0x7a, 0xbc, 0xaf) ? '7z' : undefined;
  if (other)
    throw new ImageError({
      code: 'ARCHIVE_COMPRESSION',
      message: `the archive is compressed with ${other}, which is not supported`,
      hint: 'Give a tar: plain, or compressed with gzip, zstd or xz.',
    });
  return 'none';
}

/** A stream that undoes a compression. */
export async function decompressor(compression: Compression): Promise<Duplex> {
  switch (compression) {
    case 'none':
      return new PassThrough();
    case 'gzip':
      return createGunzip({ chunkSize: CHUNK, readableHighWaterMark: AHEAD } as ZlibOptions);
    case 'zstd':
      return createZstdDecompress({ chunkSize: CHUNK, readableHighWaterMark: AHEAD } as ZstdOptions);
    case 'xz':
      return xz();
  }
}

/** The one format Node cannot inflate is left to `xz`, when the machine has it. */
async function xz(): Promise<Duplex> {
  const { execa } = await import('execa');
  const child = execa('xz', ['--decompress', '--stdout'], { buffer: false, encoding: 'buffer', reject: false });
  const inflated = Duplex.from({ writable: child.stdin, readable: child.stdout });
  void child.then((result) => {
    if (!result.failed) return;
    inflated.destroy(
      result.code === 'ENOENT'
        ? new ImageError({
            code: 'XZ_MISSING',
            message: 'the archive is compressed with xz, and there is no xz here',
            hint: 'Install it (apt-get install xz-utils), or recompress with zstd.',
          })
        : new ImageError({
            code: 'ARCHIVE_CORRUPT',
            message: `xz could not read the archive (status ${result.exitCode ?? result.signal})`,
            hint: 'The file is damaged or incomplete.',
          }),
    );
  });
  return inflated;
}

/** What zlib says, for somebody who gave an archive. */
export function explainInflateError(error: unknown): unknown {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  if (!/^(Z_|ZSTD_|ERR_ZLIB)/.test(code)) return error;
  const cut = code === 'Z_BUF_ERROR' || /unexpected end/.test((error as Error).message);
  return new ImageError({
    code: cut ? 'TAR_TRUNCATED' : 'ARCHIVE_CORRUPT',
    message: cut ? 'the compressed archive ends in the middle' : `the archive cannot be decompressed: ${(error as Error).message}`,
    hint: 'The file is damaged or incomplete: fetch it again.',
    cause: error,
  });
}
