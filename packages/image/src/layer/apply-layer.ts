import { createHash, type Hash } from 'node:crypto';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { errnoName, idMapping, isOwnUserNamespace, type LamellaError, startInterpreter, unfitForUpper } from '@lamella/syscall';
import { decompressor, detectCompression, explainInflateError } from '../compression/compression.js';
import type { AppliedLayer } from '../model/applied-layer.js';
import type { ApplyOptions } from '../model/apply-options.js';
import type { Compression } from '../model/compression-name.js';
import { IMAGE_BOUNDS } from '../model/image-bounds.js';
import { ImageError } from '../model/image-error.js';
import type { LayerMarks } from '../model/layer-marks.js';
import { APPLY_OPTIONS, read as readOptions } from '../options/option-shapes.js';
import { firstChunk } from '../streams/first-chunk.js';
import { ArchiveFeed } from '../tar/archive-feed.js';
import { printable } from '../tar/entry.js';
import { jail } from './chroot-jail.js';
import { LayerWriter } from './layer-writer.js';

/**
 * Unpacks an archive into an empty directory, in one pass: digest, inflate, diffID, parse and write
 * all stream at once. On an error the directory holds what was written until then; the caller
 * throws it away.
 *
 * @param source the archive's bytes, plain or compressed with gzip, zstd or xz
 * @param directory absolute path of an existing empty directory
 * @throws ImageError naming the entry; the AbortSignal's reason
 */
export async function applyLayer(source: Readable, directory: string, given: ApplyOptions = {}): Promise<AppliedLayer> {
  const options = readOptions('applyLayer(source, directory, options)', given, APPLY_OPTIONS);
  const { maxEntries = IMAGE_BOUNDS.entries, stacked = false, lowerNames, isPromised = false } = options;
  const enter = jail(directory);
  const marks: LayerMarks = unfitForUpper(directory) === undefined ? 'overlayfs' : 'files';
  const writer = new LayerWriter({
    marks,
    ids: idMapping().kind,
    maxEntries,
    stacked,
    ...(lowerNames ? { lowerNames } : {}),
  });
  const running = startInterpreter(
    {
      stdio: ['ignore', 'ignore', 'inherit'],
      onReply: (reply) => {
        if (reply.kind === 'ignored') writer.ignored(reply.index);
      },
      ...(options.signal ? { signal: options.signal } : {}),
    },
    { op: () => undefined, isRelease: () => false, explain: (index, errno) => explainFailure(writer, index, errno) },
    { mapsIds: isOwnUserNamespace(enter[0]) },
  );
  const feed = new ArchiveFeed(writer, running);
  const { reader } = feed;
  const digest = createHash('sha256');
  const diffID = createHash('sha256');
  let size = 0;
  let uncompressedSize = 0;
  let compression: Compression = 'none';
  let keeping: Promise<void> | undefined;
  try {
    await feed.enter(enter);
    const head = await firstChunk(source);
    compression = detectCompression(head.chunk);
    const keep = async (chunk: Buffer): Promise<void> => {
      // One chunk is being written while the next is read and inflated.
      await keeping;
      keeping = options.tee?.(chunk);
      keeping?.catch(() => undefined);
    };
    const taken = async function* (): AsyncGenerator<Buffer> {
      for await (const chunk of head.all) {
        size += chunk.length;
        if (options.expectedSize !== undefined && size > options.expectedSize) throw wrongSize(size, options.expectedSize);
        if (compression !== 'xz') {
          digest.update(chunk);
          await keep(chunk);
        }
        options.onProgress?.({ bytes: size, entries: reader.entries });
        yield chunk;
      }
    };
    const consume = async (plain: AsyncIterable<Buffer>, hash: Hash | undefined): Promise<void> => {
      for await (const chunk of plain) {
        hash?.update(chunk);
        uncompressedSize += chunk.length;
        if (compression === 'xz') await keep(chunk);
        await feed.write(chunk);
        if (hash && compression !== 'xz') discard(chunk);
      }
    };
    if (compression === 'none') await consume(taken(), undefined);
    else {
      const inflate = await decompressor(compression);
      await pipeline(Readable.from(taken(), { highWaterMark: 2 }), inflate, (plain: AsyncIterable<Buffer>) => consume(plain, diffID));
    }
    if (options.expectedSize !== undefined && size !== options.expectedSize) throw wrongSize(size, options.expectedSize);
    await keeping;
    await feed.end({ isWhole: isPromised });
  } catch (error) {
    const failure = await feed.abandon();
    // The caller closes the file of its `tee` next.
    await keeping?.catch(() => undefined);
    source.destroy();
    // The interpreter's reason comes first: what else failed did so because it had gone.
    throw failure instanceof ImageError ? failure : explainInflateError(options.signal?.aborted ? options.signal.reason : error);
  }
  const warnings = [...writer.warnings];
  if (!reader.complete && uncompressedSize) warnings.push('the archive has no end marker');
  const read = `sha256:${digest.digest('hex')}`;
  const plain = compression === 'none' ? read : `sha256:${diffID.digest('hex')}`;
  return {
    blob: compression === 'xz' ? { digest: plain, size: uncompressedSize, compression: 'none' } : { digest: read, size, compression },
    diffID: plain,
    uncompressedSize,
    entries: reader.entries,
    implied: writer.implied,
    opaque: writer.opaque,
    replaced: writer.replaced,
    whiteoutDirectories: writer.whiteoutDirectories,
    marks,
    lowerLinks: writer.lowerLinks,
    warnings,
  };
}

/**
 * Gives the memory of an inflated chunk back at once. The collector would let some 60 MB of them
 * gather first, and what is freed early is still in the processor's cache when it is used again.
 * The decompressor fills a buffer in several chunks: only after the last one is it done with it.
 */
function discard({ buffer, byteOffset, byteLength }: Buffer): void {
  if (buffer instanceof ArrayBuffer && byteOffset + byteLength === buffer.byteLength) buffer.transfer(0);
}

function wrongSize(is: number, expected: number): ImageError {
  return new ImageError({
    code: 'SIZE_MISMATCH',
    message: is > expected ? `the blob goes on after the ${expected} bytes that it should have` : `the blob ends after ${is} of ${expected} bytes`,
    hint: 'It was damaged on its way: fetch it again.',
  });
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'a link on its path, or the target of a hard link, leads to nothing',
  ENOTDIR: 'a part of its path is not a directory',
  ELOOP: 'links on its path lead in a circle',
  ENAMETOOLONG: 'a part of its path is longer than 255 bytes',
  EISDIR: 'it is a directory',
  EXDEV: 'a hard link cannot cross filesystems',
  EMLINK: 'the file has too many hard links',
  ENOSPC: 'no space is left',
  EDQUOT: 'the disk quota is used up',
  EFBIG: 'the file is too large for this filesystem',
  EPERM: 'not permitted',
  EINVAL: 'the filesystem cannot hold it',
};

/** Explains a failed op of the interpreter to the user who gave the archive. */
function explainFailure(writer: LayerWriter, index: number, errno: number): LamellaError | undefined {
  const name = writer.nameOf(index);
  const code = errnoName(errno);
  if (name === undefined) {
    if (code === 'EPERM' || code === 'ENOSPC' || code === 'EUSERS')
      return new ImageError({
        code: 'JAIL_BLOCKED',
        message: `unpacking needs a new namespace, which is not allowed here: ${code}`,
        hint: 'Run as root, or allow user namespaces: sysctl kernel.unprivileged_userns_clone=1, user.max_user_namespaces above 0, kernel.apparmor_restrict_unprivileged_userns=0.',
      });
    return undefined;
  }
  const full = code === 'ENOSPC' || code === 'EDQUOT';
  return new ImageError({
    code: full ? 'LAYER_NO_SPACE' : 'LAYER_ENTRY_FAILED',
    message: `'${printable(name)}' cannot be unpacked: ${REASONS[code] ?? code} (${code})`,
    hint: full ? 'Free some space, or choose another --root.' : 'Nothing of the archive was kept.',
  });
}
