import { createHash, type Hash } from 'node:crypto';
import {
  FrameWriter,
  flatten,
  isOwnUserNamespace,
  type Op,
  ownMountNamespace,
  type Program,
  parseWalked,
  type StreamedRun,
  startInterpreter,
  type Walked,
} from '@lamella/syscall';

/** What a part of a session found. */
export interface Found {
  /** What `statx` and `walk` told, by the op's place in the part. */
  readonly told: ReadonlyMap<number, readonly Walked[]>;
  /** A digest of what a `walk` with content read, by the same. */
  readonly digests: ReadonlyMap<number, string>;
}

/** Says that a part of a session is done; `umask` cannot fail. */
const DONE: Op = { op: 'umask', mask: 0o077, reply: true };
/** Bytes of frames that are written at once. */
const CHUNK = 1 << 16;

/**
 * One interpreter, in a separate mount namespace, that receives programs one after the other: what comes next can depend on
 * what was found, and a lock is held for as long as the session lasts.
 */
export class Session implements AsyncDisposable {
  readonly #ops: Op[] = [];
  readonly #writer = new FrameWriter();
  readonly #running: StreamedRun;
  #told = new Map<number, Walked[]>();
  #read = new Map<number, Hash>();
  #first = 0;
  #done: PromiseWithResolvers<void> | undefined;

  private constructor(mapsIds: boolean) {
    const onReply: Parameters<typeof startInterpreter>[0]['onReply'] = (reply) => {
      if (reply.kind === 'data') {
        const at = reply.index - this.#first;
        const told = this.#told.get(at) ?? [];
        told.push(parseWalked(reply.data));
        this.#told.set(at, told);
      } else if (reply.kind === 'content') {
        const at = reply.index - this.#first;
        const hash = this.#read.get(at) ?? createHash('sha256');
        hash.update(reply.data);
        this.#read.set(at, hash);
      } else if (reply.kind === 'ok' && this.#ops[reply.index] === DONE) this.#done?.resolve();
    };
    this.#running = startInterpreter({ onReply }, { op: (index) => this.#ops[index], isRelease: () => false }, { mapsIds });
    // The part that is under way reports what fails.
    this.#running.result.catch(() => undefined);
  }

  /** Starts a session. @throws what starting an interpreter throws */
  static async open(): Promise<Session> {
    const [first, ...others] = ownMountNamespace();
    const session = new Session(isOwnUserNamespace(first));
    if (first) session.#write([first]);
    await session.#running.mapped;
    await session.run(others);
    return session;
  }

  /**
   * Runs a part.
   *
   * @throws SyscallError when an op failed; the session is over then
   */
  async run(program: Program): Promise<Found> {
    this.#told = new Map();
    this.#read = new Map();
    this.#first = this.#ops.length;
    this.#done = Promise.withResolvers();
    this.#write([...program, DONE]);
    const { result } = this.#running;
    // It ends before it was told to only when something failed.
    await Promise.race([this.#done.promise, result.then(() => Promise.reject(new Error('the interpreter ended by itself')))]);
    return { told: this.#told, digests: new Map([...this.#read].map(([at, hash]) => [at, hash.digest('base64url')])) };
  }

  #write(program: Program): void {
    for (const op of program) {
      // Those of programs inside of it have an index, too.
      this.#ops.push(...flatten([op]));
      this.#writer.op(op);
      if (this.#writer.length > CHUNK) this.#running.frames.write(Buffer.from(this.#writer.take()));
    }
    this.#running.frames.write(Buffer.from(this.#writer.take()));
  }

  /** Ends it; what it held is let go. A session that failed has told so already. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#running.frames.end();
    await this.#running.result.catch(() => undefined);
  }
}
