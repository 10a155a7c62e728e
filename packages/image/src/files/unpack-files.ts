import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { errnoName, isOwnUserNamespace, type LamellaError, startInterpreter } from '@lamella/syscall';
import { decompressor, detectCompression, explainInflateError } from '../compression/compression.js';
import { ImageError } from '../model/image-error.js';
import { firstChunk } from '../streams/first-chunk.js';
import { ArchiveFeed } from '../tar/archive-feed.js';
import { printable } from '../tar/entry.js';
import { type FilesTarget, FilesWriter } from './files-writer.js';

/**
 * Puts the files of an archive, plain or compressed, among those of a directory: see {@link FilesWriter}.
 *
 * @throws ImageError `COPY_FAILED`, `COPY_NO_SPACE`, `TAR_*` and others of the archive; what came before the failure is there. What the ops of
 * `target.enter` fail with is a SyscallError.
 */
export async function unpackFiles(archive: Readable, target: FilesTarget): Promise<void> {
  const writer = new FilesWriter(target);
  const { enter } = target;
  const running = startInterpreter(
    { stdio: ['ignore', 'ignore', 'inherit'] },
    { op: (index) => enter[index], isRelease: () => false, explain: (index, errno) => explainEntry(writer, index, errno) },
    { mapsIds: isOwnUserNamespace(enter[0]) },
  );
  const feed = new ArchiveFeed(writer, running);
  try {
    await feed.enter(enter);
    const head = await firstChunk(archive);
    const compression = detectCompression(head.chunk);
    const consume = async (plain: AsyncIterable<Buffer>): Promise<void> => {
      for await (const chunk of plain) await feed.write(chunk);
    };
    if (compression === 'none') await consume(head.all);
    else await pipeline(Readable.from(head.all, { highWaterMark: 2 }), await decompressor(compression), consume);
    await feed.end();
  } catch (error) {
    const failure = await feed.abandon();
    archive.destroy();
    // The interpreter's reason comes first: what else failed did so because it had gone.
    throw sayWhatStays(failure instanceof Error && failure !== error && !isSilent(failure) ? failure : explainInflateError(error), writer.entries);
  }
}

/** An interpreter that was told nothing more ends without a word. */
function isSilent(error: Error): boolean {
  return (error as { code?: unknown }).code === 'INIT_FAILED';
}

/** Nobody takes back what was copied before a failure. */
function sayWhatStays(error: unknown, entries: number): unknown {
  if (!(error instanceof ImageError)) return error;
  // What a path may not be is the same for a layer.
  const isLayers = error.code.startsWith('LAYER_');
  const hint = isLayers ? 'The archive is damaged, or made to do damage.' : error.hint;
  const stays = entries > 1 ? 'What was copied before stays.' : '';
  return new ImageError({
    code: isLayers ? 'COPY_FAILED' : error.code,
    message: isLayers ? error.message.replace('out of the image', 'out of the directory that it is copied into') : error.message,
    hint: [hint, stays].filter(Boolean).join(' '),
    cause: error,
  });
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'a directory on its path, or the target of a hard link, is not there any more',
  ENOTDIR: 'something that is not a directory is where a directory is to be',
  ELOOP: 'a link is where a directory is to be',
  EXDEV: 'its path leads out of the directory, or a hard link to another filesystem',
  EISDIR: 'a directory is where it is to be',
  EEXIST: 'somebody else has just put something in its place',
  EBUSY: 'something is mounted there',
  EROFS: 'the filesystem is read-only there',
  ENAMETOOLONG: 'a part of its path is longer than 255 bytes',
  EMLINK: 'the file has too many hard links',
  ENOSPC: 'no space is left',
  EDQUOT: 'the disk quota is used up',
  EFBIG: 'the file is too large for this filesystem',
  EACCES: 'permission denied',
  EPERM: 'not permitted',
  EINVAL: 'the filesystem cannot hold it',
};

const DIRECTORIES = 'A directory takes no file’s place, and a file no directory’s; nothing is written through links. Remove what is there first.';
const HINTS: Readonly<Record<string, string>> = {
  ENOTDIR: DIRECTORIES,
  EISDIR: DIRECTORIES,
  ELOOP: DIRECTORIES,
  EEXIST: 'Try again.',
  EBUSY: 'Write to what is mounted: on the host where it is from there, or from inside.',
};

/** Explains a failed op of the interpreter to the user who copies. */
function explainEntry(writer: FilesWriter, index: number, errno: number): LamellaError | undefined {
  const name = writer.nameOf(index);
  const code = errnoName(errno);
  if (name === undefined) return undefined;
  const isFull = code === 'ENOSPC' || code === 'EDQUOT';
  return new ImageError({
    code: isFull ? 'COPY_NO_SPACE' : code === 'EROFS' ? 'COPY_READ_ONLY' : 'COPY_FAILED',
    message: `'${printable(name)}' cannot be copied: ${REASONS[code] ?? code} (${code})`,
    hint: isFull ? 'Free some space.' : (HINTS[code] ?? 'Check what is there, and who may write there.'),
  });
}
