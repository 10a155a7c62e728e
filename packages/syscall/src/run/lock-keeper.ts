import { constants } from 'node:os';
import { LOCK, O } from '../ops/constants.js';
import { AT_FDCWD, type Op } from '../ops/op.js';
import { OPCODES } from '../ops/opcodes.js';
import { SyscallError } from '../ops/syscall-error.js';
import { FRAME_FLAGS, FrameWriter } from '../wire/encode.js';
import type { Reply } from '../wire/replies.js';
import { type StreamedRun, startInterpreter } from './run.js';

/** Errors of open(2) and flock(2) after which the keeper continues, because it holds other locks. */
const OPEN_ERRORS = [
  'ENOENT',
  'EACCES',
  'EPERM',
  'EROFS',
  'ENOTDIR',
  'EISDIR',
  'ELOOP',
  'ENAMETOOLONG',
  'ENOSPC',
  'EDQUOT',
  'EMFILE',
  'ENFILE',
  'EIO',
] as const;
const codes = (names: readonly (keyof typeof constants.errno)[]): number[] => names.map((name) => constants.errno[name]);
const FIRST = 5;
/** The most descriptors of one keeper. */
const MOST = 900;

/** Milliseconds without a lock after which a keeper ends. */
const LINGERS = 250;

/** A lock that a keeper holds. */
export interface KeptLock {
  release(): Promise<void>;
}

/**
 * A small process that holds all uncontended locks of this one: Node has no flock, and a process for each lock costs milliseconds.
 * It starts with the first lock and ends some time after the last, so that repeated locking starts one process. It does not keep
 * this process alive and ends with it.
 */
class LockKeeper {
  readonly #running: StreamedRun;
  readonly #frames = new FrameWriter(1024);
  /** Callbacks for the replies to ops, by index. */
  readonly #waiting = new Map<number, (reply: Reply) => void>();
  readonly #free: number[] = [];
  #next = FIRST;
  #held = 0;
  #dead = false;
  #leaving: NodeJS.Timeout | undefined;

  constructor() {
    this.#running = startInterpreter(
      {
        onReply: (reply) => {
          if ('index' in reply) this.#waiting.get(reply.index)?.(reply);
        },
      },
      { op: () => undefined, isRelease: () => false },
    );
    // Pending requests fail; the next request starts another keeper.
    const ended = (): void => {
      this.#dead = true;
      if (keeper === this) keeper = undefined;
    };
    this.#running.result.then(ended, ended);
  }

  get full(): boolean {
    return !this.#free.length && this.#next >= MOST;
  }

  /** @returns undefined if another process holds the lock. @throws SyscallError if the file cannot be opened */
  async take(path: string, operation: number, create: boolean): Promise<KeptLock | undefined> {
    this.#held++;
    clearTimeout(this.#leaving);
    this.#running.hold(true);
    const fd = this.#free.pop() ?? this.#next++;
    // A FIFO in place of the file must not block all other locks.
    const flags = (create ? O.RDWR | O.CREAT : O.RDONLY) | O.NONBLOCK | O.NOCTTY | O.CLOEXEC;
    const opened = this.#frames.index;
    this.#frames.begin(OPCODES.openat.code, FRAME_FLAGS.OPTIONAL, codes(OPEN_ERRORS));
    for (const value of [AT_FDCWD, flags, 0o600, fd]) this.#frames.number(value);
    this.#frames.string(path);
    this.#frames.end();
    const locked = this.#frames.index;
    this.#frames.begin(OPCODES.flock.code, FRAME_FLAGS.OPTIONAL | FRAME_FLAGS.REPLY, codes(['EAGAIN', 'EBADF']));
    for (const value of [fd, operation | LOCK.NB]) this.#frames.number(value);
    this.#frames.end();
    try {
      const reply = await this.#ask(opened, locked);
      if (reply.kind === 'ok') return { release: () => this.#release(fd) };
      if (reply.kind !== 'ignored' || reply.index === opened) {
        const op: Op = { op: 'openat', dirfd: AT_FDCWD, pathname: path, flags, mode: 0o600, out: fd };
        throw new SyscallError(op, reply.kind === 'ignored' ? 0 : reply.index, 'errno' in reply ? reply.errno : 0);
      }
    } catch (error) {
      await this.#release(fd);
      throw error;
    }
    await this.#release(fd);
    return undefined;
  }

  /** Sends ops and returns the first reply to one of them. */
  async #ask(...indexes: readonly number[]): Promise<Extract<Reply, { readonly index: number }>> {
    const answered = Promise.withResolvers<Reply>();
    for (const index of indexes) this.#waiting.set(index, answered.resolve);
    this.#running.frames.write(this.#frames.take());
    try {
      return (await Promise.race([answered.promise, this.#gone()])) as Extract<Reply, { readonly index: number }>;
    } finally {
      for (const index of indexes) this.#waiting.delete(index);
    }
  }

  async #gone(): Promise<never> {
    await this.#running.result;
    throw new Error('the process that holds the locks went away');
  }

  /** Releases a lock. The death of its holder has released it too, so that is not a failure. */
  async #release(fd: number): Promise<void> {
    try {
      await this.#close(fd);
    } catch (error) {
      if (!this.#dead) throw error;
    }
  }

  async #close(fd: number): Promise<void> {
    const closed = this.#frames.index;
    this.#frames.begin(OPCODES.close.code, FRAME_FLAGS.OPTIONAL | FRAME_FLAGS.REPLY, codes(['EBADF']));
    this.#frames.number(fd);
    this.#frames.end();
    await this.#ask(closed);
    this.#free.push(fd);
    if (--this.#held) return;
    this.#running.hold(false);
    this.#leaving = setTimeout(() => {
      if (keeper === this) keeper = undefined;
      this.#running.frames.end();
    }, LINGERS).unref();
  }
}

let keeper: LockKeeper | undefined;

/**
 * Takes an uncontended lock.
 *
 * @returns undefined if another process holds it
 * @throws SyscallError if the file cannot be opened
 */
export function takeLock(path: string, operation: number, create: boolean): Promise<KeptLock | undefined> {
  if (!keeper || keeper.full) keeper = new LockKeeper();
  return keeper.take(path, operation, create);
}
