import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { type FileHandle, open, realpath, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Writable } from 'node:stream';
import { AT, AT_FDCWD, O, type Op, run } from '@lamella/syscall';
import { UsageError } from '../usage-error.js';

/** open(2): a file without a name. It is gone when its process is, however that ended. */
const O_TMPFILE = 0o20000000 | O.DIRECTORY;
/** Where no such file can be had, or a kernel knows none. */
const WITHOUT = new Set(['EOPNOTSUPP', 'EISDIR', 'EINVAL', 'ENOENT']);

/**
 * Writes a file that the user named: it gets its name when all of it is there, and nothing is left of one that did not come to its end. Where
 * the filesystem cannot have files without a name a killed process leaves `FILE.PID.partial`. A pipe or a device is written as it is.
 *
 * @param write writes to a stream, ends it, and waits for that
 */
export async function writeOutput(file: string, write: (output: Writable) => Promise<unknown>): Promise<void> {
  const there = await stat(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (there?.isDirectory()) throw new UsageError(`${file} is a directory`, 'Name a file.');
  if (there && !there.isFile()) {
    await write(createWriteStream(file));
    return;
  }
  // What a link leads to is written, and the link stays.
  const target = there ? await realpath(file) : path.resolve(file);
  const handle = await open(path.dirname(target), O_TMPFILE | O.RDWR, 0o666).catch((error: NodeJS.ErrnoException) => {
    if (WITHOUT.has(error.code ?? '')) return undefined;
    throw error;
  });
  if (handle) await nameless(handle, target, write);
  else await named(`${target}.${process.pid}.partial`, target, write);
}

async function nameless(handle: FileHandle, target: string, write: (output: Writable) => Promise<unknown>): Promise<void> {
  await using file = handle;
  await write(file.createWriteStream({ autoClose: false }));
  const beside = path.join(path.dirname(target), `.lamella-${randomUUID()}`);
  // A link cannot take the place of a file: it has another name for the moment of a rename.
  const program: readonly Op[] = [
    { op: 'linkat', olddirfd: AT_FDCWD, oldpath: '/proc/self/fd/5', newdirfd: AT_FDCWD, newpath: beside, flags: AT.SYMLINK_FOLLOW },
    { op: 'renameat2', olddirfd: AT_FDCWD, oldpath: beside, newdirfd: AT_FDCWD, newpath: target, flags: 0 },
  ];
  await run(program, { descriptors: [file.fd] });
}

async function named(partial: string, target: string, write: (output: Writable) => Promise<unknown>): Promise<void> {
  try {
    await write(createWriteStream(partial));
    await rename(partial, target);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}
