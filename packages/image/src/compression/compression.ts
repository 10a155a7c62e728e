import { Duplex, PassThrough } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Compression } from '../model/compression-name.js';
import { IMAGE_BOUNDS } from '../model/image-bounds.js';
import { ImageError } from '../model/image-error.js';
import { inflateGzip, inflateZstd } from './inflating.js';

/** `xz -9` takes 65 MiB, and what others make can ask for 4 GiB. */
const XZ_MEMORY_MIB = IMAGE_BOUNDS.xzMemory / 2 ** 20;

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

/** Returns a stream that undoes a compression. If the archive is cut, or something else follows it, the stream fails. */
export async function decompressor(compression: Compression): Promise<Duplex> {
  switch (compression) {
    case 'none':
      return new PassThrough();
    case 'gzip':
      return inflateGzip();
    case 'zstd':
      return inflateZstd();
    case 'xz':
      return inflateByXz();
  }
}

/** The one format Node cannot inflate is left to `xz`, when the machine has it. */
async function inflateByXz(): Promise<Duplex> {
  const { spawn } = await import('node:child_process');
  return Duplex.from(async function* (source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    const child = spawn('xz', ['--decompress', '--stdout', `--memlimit-decompress=${XZ_MEMORY_MIB}MiB`], { stdio: ['pipe', 'pipe', 'ignore'] });
    const ended = new Promise<{ readonly code?: string | undefined; readonly how: number | string | null }>((resolve) => {
      child.once('error', ({ code }: NodeJS.ErrnoException) => resolve({ code, how: null }));
      child.once('close', (status, signal) => resolve({ how: status ?? signal }));
    });
    // The program's own message follows below.
    const fed = pipeline(source, child.stdin).catch(() => undefined);
    try {
      for await (const chunk of child.stdout as AsyncIterable<Buffer>) yield chunk;
    } catch (error) {
      // So ends the output of a program that never began.
      if ((error as NodeJS.ErrnoException).code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
    }
    await fed;
    // Its output is whole only if it succeeded.
    const { code, how } = await ended;
    if (how === 0) return;
    throw code === 'ENOENT'
      ? new ImageError({
          code: 'XZ_MISSING',
          message: 'the archive is compressed with xz, and there is no xz here',
          hint: 'Install it (apt-get install xz-utils), or recompress with zstd.',
        })
      : new ImageError({
          code: 'ARCHIVE_CORRUPT',
          message: `xz could not read the archive (status ${how ?? code})`,
          hint: `The file is damaged or incomplete, or needs more than ${XZ_MEMORY_MIB} MiB of memory to be decompressed.`,
        });
  });
}

/** Explains an error of zlib to the user who gave the archive. */
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
