import { Transform, type TransformCallback } from 'node:stream';
import { constants, createGunzip, createZstdDecompress, type Gunzip, type ZlibOptions, type ZstdDecompress, type ZstdOptions } from 'node:zlib';
import { ImageError } from '../model/image-error.js';
import { ZSTD_WINDOW_LOG_MAX, ZstdFrames } from './zstd-frames.js';

/** Inflated bytes come in pieces of this size: large, because each is a trip to a thread. */
const CHUNK = 256 * 1024;
/** So much is inflated ahead, while the main thread parses. */
const AHEAD = 2 * CHUNK;
/** Frames that keep more than this in memory are decompressed one after another in a process. */
const LARGE_WINDOW = 64 << 20;

/** Passes bytes through a decompressor of Node's, and sees that the whole of them was taken. */
abstract class Inflating<Engine extends Gunzip | ZstdDecompress> extends Transform {
  protected readonly engine: Engine;

  constructor(engine: Engine) {
    super({ readableHighWaterMark: AHEAD });
    this.engine = engine;
    engine.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) engine.pause();
    });
    engine.once('error', (error) => this.destroy(error));
  }

  override _read(size: number): void {
    this.engine.resume();
    super._read(size);
  }

  override _flush(done: TransformCallback): void {
    const problem = this.unfinished();
    if (problem) {
      done(problem);
      return;
    }
    // It may have ended by itself, before it was told that there is no more.
    if (this.engine.readableEnded) done();
    else this.engine.once('end', () => done());
    this.engine.end();
    this.engine.resume();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.engine.destroy();
    done(error);
  }

  /** Returns what is wrong with an end at this place. */
  protected abstract unfinished(): ImageError | undefined;
}

/** Several members one after the other are one archive (RFC 1952, 2.2); zeros after them, as tapes have them, mean nothing. */
class GzipInflating extends Inflating<Gunzip> {
  #ended = false;

  constructor() {
    super(createGunzip({ chunkSize: CHUNK, readableHighWaterMark: AHEAD } as ZlibOptions));
  }

  override _transform(chunk: Buffer, _: BufferEncoding, done: TransformCallback): void {
    if (this.#ended) {
      done(onlyZeros(chunk));
      return;
    }
    const before = this.engine.bytesWritten;
    this.engine.write(chunk, (error) => {
      const taken = this.engine.bytesWritten - before;
      // Node's stream ends when zeros follow a member, and takes nothing more, whatever comes.
      if (!error && taken < chunk.length) {
        this.#ended = true;
        done(onlyZeros(chunk.subarray(taken)));
      } else done(error);
    });
  }

  protected unfinished(): undefined {
    // Node's stream says by itself that a member is cut.
    return undefined;
  }
}

function onlyZeros(rest: Buffer): ImageError | null {
  if (rest.every((byte) => byte === 0)) return null;
  return new ImageError({
    code: 'ARCHIVE_CORRUPT',
    message: 'the compressed archive goes on after its end with something else',
    hint: 'The file is damaged: fetch it again.',
  });
}

class ZstdInflating extends Inflating<ZstdDecompress> {
  readonly #frames = new ZstdFrames();
  #turn: Turn | undefined;

  constructor() {
    const params = { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG_MAX };
    super(createZstdDecompress({ chunkSize: CHUNK, readableHighWaterMark: AHEAD, params } as ZstdOptions));
  }

  override _transform(chunk: Buffer, _: BufferEncoding, done: TransformCallback): void {
    let pieces: Buffer[];
    try {
      pieces = this.#frames.split(chunk);
    } catch (error) {
      done(error as Error);
      return;
    }
    const write = (): void => {
      const last = pieces.pop();
      if (!last || this.destroyed) {
        done();
        return;
      }
      for (const piece of pieces) this.engine.write(piece);
      this.engine.write(last, done);
    };
    if (this.#frames.window <= LARGE_WINDOW || this.#turn) {
      write();
      return;
    }
    this.#turn = takeTurn();
    this.#turn.begun.then(write);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#turn?.end();
    super._destroy(error, done);
  }

  protected unfinished(): ImageError | undefined {
    if (this.#frames.isBetween) return undefined;
    return new ImageError({
      code: 'TAR_TRUNCATED',
      message: 'the compressed archive ends in the middle',
      hint: 'The file is damaged or incomplete: fetch it again.',
    });
  }
}

interface Turn {
  readonly begun: Promise<void>;
  end(): void;
}

let lastTurn: Promise<void> = Promise.resolve();

/** Four layers are unpacked at once: the memory of four large windows would be that of a small machine. */
function takeTurn(): Turn {
  const begun = lastTurn;
  const { promise, resolve } = Promise.withResolvers<void>();
  lastTurn = begun.then(() => promise);
  return { begun, end: resolve };
}

/** Returns a stream that inflates gzip, whole or with an error. */
export function inflateGzip(): Transform {
  return new GzipInflating();
}

/** Returns a stream that inflates zstd, whole or with an error. */
export function inflateZstd(): Transform {
  return new ZstdInflating();
}
