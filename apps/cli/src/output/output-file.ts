import { randomUUID } from 'node:crypto';
import { createWriteStream, type Stats } from 'node:fs';
import { type FileHandle, open, realpath, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { Writable } from 'node:stream';
import { AT, AT_FDCWD, O, type Op, run, SyscallError } from '@lamella/syscall';
import { UsageError } from '../errors/usage-error.js';

/** open(2): an unnamed file, which disappears with its process. */
const O_TMPFILE = 0o20000000 | O.DIRECTORY;
/** Errors of a kernel or a filesystem without unnamed files. */
const WITHOUT = new Set(['EOPNOTSUPP', 'EISDIR', 'EINVAL', 'ENOENT']);

type Write = (output: Writable) => Promise<unknown>;

/**
 * Writes a file that the user named. It appears once it is complete, and replaces an existing file, whose permission bits and owner it
 * keeps. A pipe or a device is written to directly.
 *
 * A failure leaves nothing behind. A killed process leaves nothing either, with two exceptions: `.lamella-UUID`, the whole output, if it is killed
 * between the two calls that replace a file; and `FILE.PID.partial` on a filesystem without unnamed files.
 *
 * @param write writes to a stream, ends it, and waits for its end
 * @throws UsageError if the path is a directory, or the existing file cannot be replaced
 */
export async function writeOutput(file: string, write: Write): Promise<void> {
  const there = await stat(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (there?.isDirectory()) throw new UsageError(`${file} is a directory`, 'Choose the path of a file.');
  if (there && !there.isFile()) {
    await write(createWriteStream(file));
    return;
  }
  // The target of a symbolic link is replaced, and the link stays.
  const target = there ? await realpath(file) : path.resolve(file);
  const handle = await open(path.dirname(target), O_TMPFILE | O.RDWR, 0o666).catch((error: NodeJS.ErrnoException) => {
    if (WITHOUT.has(error.code ?? '')) return undefined;
    throw error;
  });
  if (handle) await nameless(handle, target, there, write);
  else await named(`${target}.${process.pid}.partial`, target, there, write);
}

async function nameless(handle: FileHandle, target: string, there: Stats | undefined, write: Write): Promise<void> {
  await using file = handle;
  await fill(file, there, write);
  const link = (newpath: string): Op => ({
    op: 'linkat',
    olddirfd: AT_FDCWD,
    oldpath: '/proc/self/fd/5',
    newdirfd: AT_FDCWD,
    newpath,
    flags: AT.SYMLINK_FOLLOW,
  });
  if (!there) {
    const { ignored } = await run([{ ...link(target), ignore: ['EEXIST'] }], { descriptors: [file.fd] });
    if (ignored.length === 0) return;
  }
  // linkat(2) cannot replace a file, so the output gets another name first.
  const beside = path.join(path.dirname(target), `.lamella-${randomUUID()}`);
  const program: readonly Op[] = [link(beside), { op: 'renameat2', olddirfd: AT_FDCWD, oldpath: beside, newdirfd: AT_FDCWD, newpath: target, flags: 0 }];
  try {
    await run(program, { descriptors: [file.fd] });
  } catch (error) {
    await rm(beside, { force: true });
    throw error instanceof SyscallError && error.op.op === 'renameat2' ? notReplaced(target, error.code) : error;
  }
}

async function named(partial: string, target: string, there: Stats | undefined, write: Write): Promise<void> {
  try {
    // Other users must not read it before it has the owner of the replaced file.
    const handle = await open(partial, 'w', there ? 0o600 : 0o666);
    {
      await using file = handle;
      await fill(file, there, write);
    }
    await rename(partial, target).catch((error: NodeJS.ErrnoException) => {
      throw notReplaced(target, error.code ?? error.message);
    });
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}

/** Writes the output to an open file, which gets the owner and the permission bits of the existing file. */
async function fill(file: FileHandle, there: Stats | undefined, write: Write): Promise<void> {
  if (there) {
    await file.chown(there.uid, there.gid).catch((error: NodeJS.ErrnoException) => {
      // Ordinary users cannot change owners, and in a user namespace some owners are not mapped.
      if (error.code !== 'EPERM' && error.code !== 'EINVAL') throw error;
    });
    await file.chmod(there.mode & 0o777);
  }
  await write(streamTo(file));
}

/** Returns a stream to an open file, which stays open. (A stream of `createWriteStream` with `autoClose: false` holds its FileHandle for ever: `close` waits for it.) */
function streamTo(file: FileHandle): Writable {
  const put = (data: Buffer, done: (error?: Error) => void): void => void file.writeFile(data).then(() => done(), done);
  return new Writable({
    write: (chunk: Buffer, _encoding, done) => put(chunk, done),
    writev: (chunks, done) => put(Buffer.concat(chunks.map(({ chunk }) => chunk as Buffer)), done),
  });
}

function notReplaced(target: string, code: string): UsageError {
  const why = code === 'EBUSY' ? 'it is a mount point (EBUSY)' : code;
  return new UsageError(`cannot replace ${target}: ${why}`, 'Choose another file.');
}
