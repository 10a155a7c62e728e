import { Readable } from 'node:stream';
import { bytesOf, isOverlayMark, OPAQUE_FILE, type Program, parseWalked, type Reply, type Running, start, type Walked, whiteoutFile } from '@lamella/syscall';
import { ImageError } from '../model/image-error.js';
import type { TreeArchiveOptions } from '../model/tree-archive-options.js';
import { read, TREE_OPTIONS } from '../options/option-shapes.js';
import { printable } from '../tar/entry.js';
import { Header, type HeaderFields } from '../tar/header-block.js';

const BLOCK = 512;
const TYPES: Readonly<Record<number, 'FIFO' | 'CharacterDevice' | 'Directory' | 'BlockDevice' | 'File' | 'SymbolicLink'>> = {
  1: 'FIFO',
  2: 'CharacterDevice',
  4: 'Directory',
  6: 'BlockDevice',
  8: 'File',
  10: 'SymbolicLink',
};
/** Bytes that wait for a reader before the walk waits, too. */
const AHEAD = 1 << 20;

/** Files up to this size are read before their header is written, because some kernel files have a wrong size. */
const READ_FIRST = 64 * 1024;

/**
 * The tar of a tree, in the pax format, sorted: everything a tar can say is kept. It is read while it is
 * walked, never through a link; what is mounted below it is left out.
 *
 * @param program ops of which a `walk` with content is the last
 * @param name what the top is called in the archive; `.` for its content alone
 * @throws (by the stream) SyscallError of the program's
 */
export function treeArchive(program: Program, name: string, options: TreeArchiveOptions = {}): Readable {
  const { layer, mtime, seen = false, explain } = read('treeArchive(program, name, options)', options, TREE_OPTIONS);
  const top = bytesOf(name).toString('latin1');
  const first = new Map<string, string>();
  let running: Running | undefined;
  /** What is still to come of the file whose header was written last. */
  let rest = 0;
  let size = 0;
  /** A file of which all is to be known before its header is written. */
  let waiting: { readonly found: Walked; readonly path: string; readonly parts: Buffer[] } | undefined;
  let last = '';
  const output = new Readable({
    read() {
      running ??= walk();
      running.resume();
    },
    destroy(error, done) {
      running?.abort();
      done(error);
    },
  });
  const push = (bytes: Buffer): void => {
    if (!output.push(bytes) && output.readableLength > AHEAD) running?.pause();
  };
  const finishFile = (): void => {
    if (waiting) {
      const { found, path, parts } = waiting;
      waiting = undefined;
      size = parts.reduce((sum, { length }) => sum + length, 0);
      push(header({ ...found, size }, path, 'File', found.target));
      for (const part of parts) push(part);
    }
    if (rest > 0 && seen) {
      rest = 0;
      output.destroy(
        new ImageError({
          code: 'FILE_CHANGED',
          message: `'${printable(last)}' became shorter while it was read`,
          hint: 'A process writes to it: try again, or stop the container first.',
        }),
      );
      return;
    }
    // It became shorter while it was read.
    for (; rest > 0; rest -= Math.min(rest, 65536)) push(Buffer.alloc(Math.min(rest, 65536)));
    if (size % BLOCK) push(Buffer.alloc(BLOCK - (size % BLOCK)));
    size = 0;
  };
  const onReply = (reply: Reply): void => {
    if (reply.kind === 'data') {
      finishFile();
      const walked = parseWalked(reply.data);
      last = walked.name;
      const found = mtime === undefined ? walked : { ...walked, mtimeSeconds: mtime, mtimeNanoseconds: 0 };
      const type = TYPES[found.mode >> 12];
      // A socket is nothing without who listens.
      if (!type) return;
      if (layer && found.name === '') return;
      if (layer && /(?:^|\/)\.wh\.[^/]*$/.test(found.name)) {
        if (layer.marks === 'files') push(mark(found, found.name));
        else output.destroy(reserved(found.name));
        return;
      }
      if (layer && type === 'CharacterDevice' && found.major === 0 && found.minor === 0) {
        push(mark(found, whiteoutFile(found.name)));
        return;
      }
      const path = layer ? found.name : found.name === '' ? top : top === '.' ? `./${found.name}` : `${top}/${found.name}`;
      const earlier = type !== 'Directory' && found.links > 1 ? first.get(found.inode) : undefined;
      if (type !== 'Directory' && found.links > 1 && earlier === undefined) first.set(found.inode, path);
      if (seen && type === 'File' && earlier === undefined && found.size <= READ_FIRST) {
        waiting = { found, path, parts: [] };
        return;
      }
      size = type === 'File' && earlier === undefined ? found.size : 0;
      rest = size;
      push(header({ ...found, size }, type === 'Directory' ? `${path}/` : path, earlier === undefined ? type : 'Link', earlier ?? found.target));
      if (layer && found.xattrs.some(([key, value]) => key === `${layer.marks}.overlay.opaque` && value.toString('latin1') === 'y'))
        push(mark(found, `${path}/${OPAQUE_FILE}`));
    } else if (reply.kind === 'content' && waiting) waiting.parts.push(Buffer.from(reply.data));
    else if (reply.kind === 'content') {
      // It became longer while it was read; or another name of it was enough.
      const part = reply.data.subarray(0, rest);
      rest -= part.length;
      if (part.length) push(part);
    }
  };
  const walk = (): Running => {
    const begun = start(program, { onReply });
    begun.result.then(
      () => {
        finishFile();
        if (output.destroyed) return;
        output.push(Buffer.alloc(2 * BLOCK));
        output.push(null);
      },
      (error: unknown) => output.destroy(explain?.(error, last) ?? (error as Error)),
    );
    return begun;
  };
  return output;
}

/** In a layer such a name hides another (OCI image-spec, layer.md, "Whiteouts"): written as it is, the file would be lost, and the other, too. */
function reserved(name: string): ImageError {
  return new ImageError({
    code: 'LAYER_NAME_RESERVED',
    message: `'${printable(name)}' cannot be in an image: names that begin with .wh. mean that something is removed`,
    hint: 'Rename or remove it first; lamella export has it as it is.',
  });
}

/** An empty file with the name of what is hidden. */
function mark(found: Walked, path: string): Buffer {
  return header({ ...found, mode: 0, uid: 0, gid: 0, size: 0, xattrs: [] }, path, 'File', '');
}

/** The blocks before an object's content: what ustar cannot say comes before it, as pax(1) has it. */
function header(found: Walked, path: string, type: 'Link' | (typeof TYPES)[number], link: string): Buffer {
  const linkpath = type === 'Link' || type === 'SymbolicLink' ? link : '';
  const plain = (text: string, room: number): boolean => text.length <= room && /^[\x20-\x7e]*$/.test(text);
  const records = [
    ...(plain(path, 100) ? [] : [record('path', path)]),
    ...(plain(linkpath, 100) ? [] : [record('linkpath', linkpath)]),
    ...(found.size > 0o77777777777 ? [record('size', String(found.size))] : []),
    ...(found.uid > 0o7777777 ? [record('uid', String(found.uid))] : []),
    ...(found.gid > 0o7777777 ? [record('gid', String(found.gid))] : []),
    ...(found.mtimeNanoseconds || found.mtimeSeconds < 0 || found.mtimeSeconds > 0o77777777777
      ? [record('mtime', decimal(found.mtimeSeconds, found.mtimeNanoseconds))]
      : []),
    // Marks of overlayfs are of where the tree was, not of what it is.
    ...found.xattrs
      .filter(([name]) => !isOverlayMark(name))
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, value]) => record(`SCHILY.xattr.${name.replace(/[%=]/g, (c) => (c === '%' ? '%25' : '%3D'))}`, value.toString('latin1'))),
  ];
  const block = (fields: HeaderFields): Buffer => {
    const bytes = Buffer.alloc(BLOCK);
    new Header(fields).encode(bytes, 0);
    return bytes;
  };
  const own = block({
    path: plain(path, 100) ? path : 'long-name',
    linkpath: plain(linkpath, 100) ? linkpath : 'long-name',
    mode: found.mode & 0o7777,
    uid: Math.min(found.uid, 0o7777777),
    gid: Math.min(found.gid, 0o7777777),
    size: Math.min(found.size, 0o77777777777),
    mtime: new Date(Math.max(0, Math.min(found.mtimeSeconds, 0o77777777777)) * 1000),
    type,
    ...(type === 'CharacterDevice' || type === 'BlockDevice' ? { devmaj: found.major, devmin: found.minor } : {}),
  });
  if (!records.length) return own;
  const body = Buffer.concat(records);
  const before = block({ path: 'PaxHeader', mode: 0o644, uid: 0, gid: 0, size: body.length, mtime: new Date(0), type: 'ExtendedHeader' });
  return Buffer.concat([before, body, Buffer.alloc((BLOCK - (body.length % BLOCK)) % BLOCK), own]);
}

/**
 * Seconds as pax(1) writes them. The kernel counts nanoseconds forward from a whole second, also before 1970: a quarter of
 * a second before 1970 is -1 s and 750 ms, and `-0.25` here.
 */
function decimal(seconds: number, nanoseconds: number): string {
  const isBefore = seconds < 0 && nanoseconds > 0;
  const whole = isBefore ? -(seconds + 1) : Math.abs(seconds);
  const fraction = isBefore ? 1_000_000_000 - nanoseconds : nanoseconds;
  return `${seconds < 0 ? '-' : ''}${whole}${fraction ? `.${String(fraction).padStart(9, '0')}` : ''}`;
}

/** `LENGTH KEY=VALUE\n`, where the length counts itself. */
function record(key: string, value: string): Buffer {
  const body = ` ${key}=${value}\n`;
  let length = body.length + 1;
  while (String(length).length + body.length !== length) length = String(length).length + body.length;
  return Buffer.from(`${length}${body}`, 'latin1');
}
