import { createReadStream, createWriteStream, statSync } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { openRegular, streamRegular } from '@lamella/syscall';
import { decompressor, detectCompression, explainInflateError } from '../compression/compression.js';
import { ImageError } from '../model/image-error.js';
import type { Platform } from '../model/platform.js';
import { firstChunk } from '../streams/first-chunk.js';
import { dockerArchiveImages } from './docker-archive.js';
import type { SourceLocation } from './image-place.js';
import { directoryFiles, type MemberFiles, tarFiles } from './member-files.js';
import { directoryImage, ociLayoutImages } from './oci-layout.js';
import type { ListedImage } from './source-image.js';
import { unreadable } from './unreadable.js';

/** An opened source. Disposing removes what was written to be able to read it. */
export interface OpenSource extends AsyncDisposable {
  readonly images: readonly ListedImage[];
}

/**
 * Opens an archive or layout and lists its images.
 *
 * @param given where it is, or an archive's bytes
 * @param scratch absolute path of a file that may be written: archives that cannot be read at any
 * place, because they are compressed or come through a pipe, are put there first
 * @throws ImageError `SOURCE_UNREADABLE`, `SOURCE_UNKNOWN`, and what is wrong with the image
 */
export async function openSource(given: SourceLocation | Readable, scratch: string, platform: Platform, signal?: AbortSignal): Promise<OpenSource> {
  const source = given instanceof Readable || !isOwnPipe(given.path) ? given : createReadStream(given.path);
  let temporary = false;
  const dispose = async (): Promise<void> => {
    if (temporary) await rm(scratch, { force: true });
  };
  try {
    const location = source instanceof Readable ? { path: scratch } : source;
    const where = source instanceof Readable ? 'the stream' : source.path;
    if (source instanceof Readable) {
      temporary = true;
      await spool(source, scratch, signal);
    }
    const found = await stat(location.path).catch((cause: NodeJS.ErrnoException) => {
      throw new ImageError({
        code: 'SOURCE_UNREADABLE',
        message: `${location.path} cannot be read: ${cause.code}`,
        hint: cause.code === 'ENOENT' ? 'Check the path.' : 'Check its permissions.',
        cause,
      });
    });
    if (found.isDirectory()) return { images: await imagesOf(directoryFiles(location.path), location, platform), [Symbol.asyncDispose]: dispose };
    let file = location.path;
    if (detectCompression(await headOf(file)) !== 'none') {
      temporary = true;
      const plain = `${scratch}.plain`;
      await spool(await streamRegular(file), plain, signal);
      await rm(scratch, { force: true });
      file = plain;
    }
    const images = await imagesOf(await tarFiles(file, where), { ...location, path: file }, platform);
    return {
      images,
      async [Symbol.asyncDispose]() {
        await dispose();
        await rm(`${scratch}.plain`, { force: true });
      },
    };
  } catch (error) {
    await dispose();
    await rm(`${scratch}.plain`, { force: true });
    throw error;
  }
}

async function imagesOf(files: MemberFiles, { transport, name }: SourceLocation, platform: Platform): Promise<ListedImage[]> {
  const kind =
    transport ??
    ((await files.has('oci-layout')) ? 'oci' : (await files.has('manifest.json')) ? ((await files.has('version')) ? 'dir' : 'docker-archive') : undefined);
  if (kind === 'docker-archive') return dockerArchiveImages(files, name);
  if (kind === 'dir') return [{ what: files.where, open: () => directoryImage(files, platform) }];
  if (kind !== undefined) return ociLayoutImages(files, name, platform);
  throw new ImageError({
    code: 'SOURCE_UNKNOWN',
    message: `${files.where} is neither an OCI image layout nor what docker save or skopeo's dir: writes`,
    hint: 'The tar of a root filesystem becomes an image by lamella import FILE NAME.',
  });
}

/**
 * Whether a path is a descriptor of this process, as a shell's `<(…)` is: a pipe that was opened by its giver. A FIFO by
 * any other name is not opened, because it may never have a writer.
 */
export function isOwnPipe(file: string): boolean {
  return /^\/(?:dev\/fd\/\d+|dev\/stdin|proc\/self\/fd\/\d+)$/.test(file) && (statSync(file, { throwIfNoEntry: false })?.isFIFO() ?? false);
}

/** The first bytes of a file: as many as tell its compression, or that it is a tar. */
export async function headOf(file: string): Promise<Buffer> {
  await using handle = await openRegular(file).catch((error) => {
    throw unreadable(error);
  });
  const head = Buffer.alloc(512);
  await handle.read(head, 0, head.length, 0);
  return head;
}

/** Writes a stream to a file, without its compression. */
async function spool(source: Readable, file: string, signal: AbortSignal | undefined): Promise<void> {
  const { chunk, all } = await firstChunk(source);
  const inflate = await decompressor(detectCompression(chunk));
  try {
    await pipeline(Readable.from(all), inflate, createWriteStream(file, { mode: 0o600 }), ...(signal ? [{ signal }] : []));
  } catch (error) {
    await rm(file, { force: true });
    throw explainInflateError(signal?.aborted ? signal.reason : error);
  }
}
