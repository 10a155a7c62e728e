import { closeSync, openSync } from 'node:fs';
import { connect } from 'node:net';
import path from 'node:path';
import { O } from '../ops/constants.js';
import type { ControlOp } from '../ops/op.js';
import { FrameWriter } from '../wire/encode.js';
import { type Reply, replyParser } from '../wire/replies.js';

/** A connection to a monitor: orders go in, replies come out. */
export interface MonitorConnection extends Disposable {
  /** Sends an order. Resolves when another one can be sent. */
  order(op: ControlOp): Promise<void>;
  /** Pauses the replies, and with them the output of the process. */
  pause(): void;
  /** Resumes the replies. */
  resume(): void;
  /** Resolves when either side has closed the connection. */
  readonly closed: Promise<void>;
}

/**
 * Connects to the monitor of a process whose program had a `supervise` with LISTEN.
 *
 * @param directory absolute path of the directory that `supervise` was given
 * @param onReply called with `started` (at once, if the process has started), `exited`, and after `watch` with `data`, whose index
 * is 1 for stdout and 2 for stderr
 * @returns undefined if no monitor listens there
 */
export async function connectMonitor(directory: string, onReply: (reply: Reply) => void): Promise<MonitorConnection | undefined> {
  let dirfd: number;
  try {
    dirfd = openSync(directory, O.PATH | O.DIRECTORY);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  // The path of a socket has at most 107 bytes; that of a descriptor is short.
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
  // A monitor that ends meanwhile closes the connection; that is not a failure.
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
