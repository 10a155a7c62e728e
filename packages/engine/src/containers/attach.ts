import { PassThrough, type Readable, Writable } from 'node:stream';
import { connectMonitor, type MonitorConnection, type Reply } from '@lamella/syscall';

/** How a container's process ended, as its monitor tells. */
export interface Ending {
  /** Its status; 128 and the number for a signal. */
  readonly status: number;
  readonly signal: number | undefined;
}

/** The stdio of a container that runs, for as long as one is attached to it. */
export interface Attached extends Disposable {
  /** What is written here its process reads, if its stdin is open. Ending it ends that stdin, but not a terminal. */
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** Nothing comes by it from a terminal. */
  readonly stderr: Readable;
  resize(rows: number, columns: number): Promise<void>;
  kill(signal: number): Promise<void>;
  /** Leave it running. */
  detach(): void;
  /** Resolves when it ended, or, with undefined, when the conversation did. */
  readonly ended: Promise<Ending | undefined>;
}

const MOST = 4096;

/**
 * Come to a container by its monitor's socket.
 *
 * @returns undefined when nobody listens there
 */
export async function attachTo(directory: string): Promise<Attached | undefined> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const ended = Promise.withResolvers<Ending | undefined>();
  let connection: MonitorConnection | undefined;
  let waiting = 0;
  const onReply = (reply: Reply): void => {
    if (reply.kind === 'exited') ended.resolve({ status: reply.status, signal: reply.signal || undefined });
    if (reply.kind !== 'data') return;
    const stream = reply.index === 2 ? stderr : stdout;
    if (stream.write(reply.data)) return;
    // Who reads too slowly holds the container back, not this process's memory.
    waiting++;
    connection?.pause();
    stream.once('drain', () => {
      if (--waiting === 0) connection?.resume();
    });
  };
  connection = await connectMonitor(directory, onReply);
  if (!connection) return undefined;
  const { order } = connection;
  void connection.closed.then(() => {
    ended.resolve(undefined);
    stdout.end();
    stderr.end();
  });
  await order({ op: 'watch', output: 1 });
  const leave = (): void => connection[Symbol.dispose]();
  const stdin = new Writable({
    write(chunk: Buffer, _encoding, done) {
      void (async () => {
        for (let at = 0; at < chunk.length; at += MOST) await order({ op: 'input', data: chunk.subarray(at, at + MOST) });
      })().then(() => done(), done);
    },
    final(done) {
      order({ op: 'end_input' }).then(() => done(), done);
    },
  });
  return {
    stdin,
    stdout,
    stderr,
    resize: (rows, columns) => order({ op: 'resize', rows, columns }),
    kill: (signo) => order({ op: 'signal', signo }),
    detach: leave,
    ended: ended.promise,
    [Symbol.dispose]: leave,
  };
}
