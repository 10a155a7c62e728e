/** A report of the interpreter. Indexes count ops in the order of {@link flatten}. */
export type Reply =
  | { readonly kind: 'ok'; readonly index: number; readonly value: number }
  | { readonly kind: 'failed'; readonly index: number; readonly errno: number; readonly malformed: boolean }
  | { readonly kind: 'ignored'; readonly index: number; readonly errno: number }
  | { readonly kind: 'data'; readonly index: number; readonly data: Buffer }
  | { readonly kind: 'started'; readonly pid: number }
  | { readonly kind: 'exited'; readonly status: number; readonly signal: number }
  | { readonly kind: 'terminal'; readonly termios: Buffer }
  | { readonly kind: 'detached' }
  /** A signal has stopped the job; SIGCONT resumes it. */
  | { readonly kind: 'stopped'; readonly signal: number }
  | { readonly kind: 'content'; readonly index: number; readonly data: Buffer }
  /** A spawner made the interpreter, or failed to with an error. */
  | { readonly kind: 'spawned'; readonly pid: number; readonly errno: number }
  /** The last reply of an interpreter that a spawner made: its exit status. */
  | { readonly kind: 'done'; readonly status: number };

/** Returns a parser that splits the bytes of descriptor 4 into replies. */
export function replyParser(onReply: (reply: Reply) => void): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0);
  return (chunk) => {
    rest = rest.length ? Buffer.concat([rest, chunk]) : chunk;
    let at = 0;
    while (rest.length - at >= 20) {
      const length = rest.readUInt32LE(at);
      if (rest.length - at < length) break;
      const reply = parse(rest.subarray(at, at + length));
      if (reply) onReply(reply);
      at += length;
    }
    rest = rest.subarray(at);
  };
}

function parse(b: Buffer): Reply | undefined {
  const errno = b.readUInt16LE(6);
  const index = b.readUInt32LE(8);
  const value = Number(b.readBigInt64LE(12));
  switch (b.readUInt16LE(4)) {
    case 1:
      return { kind: 'ok', index, value };
    case 2:
      return { kind: 'failed', index, errno, malformed: value === -1 };
    case 3:
      return { kind: 'ignored', index, errno };
    case 4:
      return { kind: 'data', index, data: Buffer.from(b.subarray(20)) };
    case 5:
      return { kind: 'started', pid: value };
    case 6:
      return { kind: 'exited', status: value, signal: errno };
    case 7:
      return { kind: 'terminal', termios: Buffer.from(b.subarray(20)) };
    case 8:
      return { kind: 'detached' };
    case 9:
      return { kind: 'content', index, data: Buffer.from(b.subarray(20)) };
    case 10:
      return { kind: 'stopped', signal: errno };
    case 11:
      return { kind: 'spawned', pid: value, errno };
    case 12:
      return { kind: 'done', status: value };
    default:
      return undefined;
  }
}
