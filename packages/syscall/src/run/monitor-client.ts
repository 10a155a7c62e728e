import { closeSync, openSync } from 'node:fs';
import { connect } from 'node:net';
import path from 'node:path';
import { O } from '../ops/constants.js';
import type { ControlOp } from '../ops/op.js';
import { FrameWriter } from '../wire/encode.js';
import { type Reply, replyParser } from '../wire/replies.js';

/** A monitor one has come to by its socket: orders go in, replies come out. */
export interface MonitorConnection extends Disposable {
  /** Send an order. Resolves when there is room for another. */
  order(op: ControlOp): Promise<void>;
  /** Hold the replies back, and the process that writes what they tell of; and go on. */
  pause(): void;
  resume(): void;
  /** Resolves at the end of the conversation, whoever ended it. */
  readonly closed: Promise<void>;
}

/**
 * Come to the monitor of a process whose program had a `supervise` with LISTEN.
 *
 * @param directory the absolute path of the directory that it was given
 * @param onReply told of `started` (at once, when it has), `exited`, and after a `watch` of `data`, whose index is
 * 1 for stdout and 2 for stderr
 * @returns undefined when nobody listens there
 */
export async function connectMonitor(directory: string, onReply: (reply: Reply) => void): Promise<MonitorConnection | undefined> {
  let dirfd: number;
  try {
    dirfd = openSync(directory, O.PATH | O.DIRECTORY);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  // A socket's path has at most 107 bytes, a descriptor's is short.
  const socket = connect(path.join('/proc/self/fd', String(dirfd), 'control'));
  const closed = Promise.withResolvers<void>();
  socket.once('close', () => closed.resolve());
  socket.on('data', replyParser(onReply));
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
  } catch (error) {
    if (['ENOENT', 'ECONNREFUSED'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  } finally {
    closeSync(dirfd);
  }
  // A monitor that ends in between is the end of the conversation, and no failure.
  socket.on('error', () => socket.destroy());
  return {
    closed: closed.promise,
    async order(op) {
      const writer = new FrameWriter(8192);
      writer.op(op);
      if (!socket.destroyed && !socket.write(writer.take())) await Promise.race([new Promise((resolve) => socket.once('drain', resolve)), closed.promise]);
    },
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    [Symbol.dispose]: () => void socket.destroy(),
  };
}
