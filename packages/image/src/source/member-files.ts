import { closeSync } from 'node:fs';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { FILE_BOUNDS, FileError, type FilePlace, openRegular, openRegularSync, readRegular, streamRegular } from '@lamella/syscall';
import { IMAGE_BOUNDS } from '../model/image-bounds.js';
import { ImageError } from '../model/image-error.js';
import { BLOCK, isZero, parseHeader, text } from '../tar/header.js';
import { parsePax, paxInteger } from '../tar/pax.js';
import { unreadable } from './unreadable.js';

/** Files by name, wherever they are: in a directory, or inside of a tar. */
export interface MemberFiles {
  /** What messages call it. */
  readonly where: string;
  has(name: string): Promise<boolean>;
  /** @throws ImageError `SOURCE_INCOMPLETE` */
  read(name: string, limit: number): Promise<Buffer>;
  open(name: string, signal?: AbortSignal): Promise<Readable>;
}

const CHUNK = 512 * 1024;

function missing(where: string, name: string): ImageError {
  return new ImageError({ code: 'SOURCE_INCOMPLETE', message: `${where} has no ${name}`, hint: 'It is damaged, or not a whole image: save it again.' });
}

/** The files below a directory; links that lead out of it are refused. */
export function directoryFiles(directory: string): MemberFiles {
  const placeOf = (name: string): FilePlace => ({ root: directory, path: path.normalize(`/${name}`), leaving: 'refused' });
  const refuse = (error: unknown, name: string): never => {
    throw error instanceof FileError && error.problem === 'missing' ? missing(directory, name) : unreadable(error);
  };
  return {
    where: directory,
    async has(name) {
      try {
        closeSync(openRegularSync(placeOf(name)).fd);
        return true;
      } catch (error) {
        if (error instanceof FileError && error.problem === 'missing') return false;
        throw unreadable(error);
      }
    },
    async read(name, limit) {
      try {
        return readRegular(placeOf(name), { ...FILE_BOUNDS.document, bytes: limit });
      } catch (error) {
        return refuse(error, name);
      }
    },
    async open(name, signal) {
      return await streamRegular(placeOf(name), { signal, highWaterMark: CHUNK }).catch((error) => refuse(error, name));
    },
  };
}

interface Member {
  readonly offset: number;
  readonly size: number;
  /** Another member's name, for links. */
  readonly link?: string;
}

/**
 * The files inside of a plain tar, found by reading its headers only; their content is read from
 * where it is, in any order and several at a time.
 *
 * @param where what messages call it
 * @throws ImageError `TAR_*`
 */
export async function tarFiles(file: string, where: string = file): Promise<MemberFiles> {
  const members = await indexOf(file, where);
  const find = (name: string): Member | undefined => {
    let wanted = name;
    for (let hops = 0; hops < 10; hops++) {
      const member = members.get(wanted);
      if (member?.link === undefined) return member;
      wanted = member.link;
    }
    return undefined;
  };
  const need = (name: string): Member => {
    const member = find(name);
    if (!member) throw missing(where, name);
    return member;
  };
  const stream = (part: Member, signal?: AbortSignal): Promise<Readable> =>
    streamRegular(file, { part, highWaterMark: CHUNK, signal }).catch((error) => {
      throw unreadable(error);
    });
  return {
    where,
    has: async (name) => find(name) !== undefined,
    async read(name, limit) {
      const member = need(name);
      // Awaited: a rejection must not come while the handle is being closed.
      return await bounded(where, name, member.size, limit, async () => Buffer.concat(await Array.fromAsync(await stream(member))));
    },
    open: (name, signal) => stream(need(name), signal),
  };
}

async function bounded(where: string, name: string, size: number, limit: number, read: () => Promise<Buffer>): Promise<Buffer> {
  if (size <= limit) return read();
  throw new ImageError({
    code: 'DOCUMENT_TOO_LARGE',
    message: `${name} in ${where} has ${size} bytes; more than ${limit} are refused`,
    hint: 'It is damaged, or made to do damage.',
  });
}

async function indexOf(file: string, where: string): Promise<Map<string, Member>> {
  const members = new Map<string, Member>();
  await using handle = await openRegular(file).catch((error) => {
    throw unreadable(error);
  });
  const { size: total } = await handle.stat();
  // Small members follow each other closely: one read has many headers.
  const window = Buffer.alloc(64 * 1024);
  let begin = 0;
  let filled = 0;
  const extension = new Map<string, string>();
  let extensionBytes = 0;
  let nameBytes = 0;
  let count = 0;
  for (let at = 0; ; ) {
    if (at + BLOCK > total) {
      // Without a single header it is not an archive of images, and perhaps something else.
      if (at === 0) break;
      throw cut(where, at);
    }
    if (at < begin || at + BLOCK > begin + filled) {
      begin = at;
      filled = (await handle.read(window, 0, window.length, at)).bytesRead;
      if (filled < BLOCK) throw cut(where, at);
    }
    if (isZero(window, at - begin)) break;
    const header = parseHeader(window, at - begin);
    const data = at + BLOCK;
    const size = extension.has('size') ? paxInteger('size', extension.get('size') ?? '', header.name) : header.size;
    if (size < 0 || data + size > total)
      throw new ImageError({ code: 'TAR_TRUNCATED', message: `${where} ends inside of '${header.name}'`, hint: 'The file is incomplete: fetch it again.' });
    at = data + Math.ceil(size / BLOCK) * BLOCK;
    if ('xgLK'.includes(header.typeflag)) {
      extensionBytes += size;
      if (size > IMAGE_BOUNDS.extension || extensionBytes > IMAGE_BOUNDS.extensions)
        throw new ImageError({
          code: 'TAR_EXTENSION_TOO_LARGE',
          message: `an extended header of ${size} bytes is in ${where}; ${IMAGE_BOUNDS.extension} is the most of one, and ${IMAGE_BOUNDS.extensions} of those before one member`,
          hint: 'It is made to do damage.',
        });
      const content = Buffer.alloc(size);
      await handle.read(content, 0, size, data);
      if (header.typeflag === 'L') extension.set('path', text(content, 0, size));
      else if (header.typeflag === 'K') extension.set('linkpath', text(content, 0, size));
      else if (header.typeflag === 'x') for (const [key, value] of parsePax(content)) extension.set(key, value);
      continue;
    }
    const name = normal(extension.get('path') ?? header.name);
    const linkname = extension.get('linkpath') ?? header.linkname;
    extension.clear();
    extensionBytes = 0;
    nameBytes += name.length + linkname.length;
    if (++count > IMAGE_BOUNDS.members || nameBytes > IMAGE_BOUNDS.memberNames)
      throw new ImageError({
        code: 'SOURCE_UNKNOWN',
        message: `${where} is not an archive of images: it has more than ${IMAGE_BOUNDS.members} members, or their names more than ${IMAGE_BOUNDS.memberNames} bytes`,
        hint: 'The tar of a root filesystem becomes an image by lamella import FILE NAME.',
      });
    if (header.typeflag === '0' || header.typeflag === '7') members.set(name, { offset: data, size });
    else if (header.typeflag === '1') members.set(name, { offset: 0, size: 0, link: normal(linkname) });
    else if (header.typeflag === '2') members.set(name, { offset: 0, size: 0, link: normal(path.posix.join(path.posix.dirname(name), linkname)) });
  }
  return members;
}

/** What comes after the end is looked for in vain; it would be said to be missing, and it was there. */
function cut(where: string, at: number): ImageError {
  return new ImageError({
    code: 'TAR_TRUNCATED',
    message: `${where} ends at byte ${at} without an end marker`,
    hint: 'The file is incomplete: fetch it again.',
  });
}

const normal = (name: string): string => path.posix.normalize(`/${name}`).slice(1);
