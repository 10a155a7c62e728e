import { Readable } from 'node:stream';
import { ImageError, treeArchive, unpackFiles } from '@lamella/image';
import { O, type ObjectType, type Op, objectType, parseWalked, run, SyscallError, textOf, type Walked } from '@lamella/syscall';
import { EngineError } from '../../model/engine-error.js';
import type { EngineErrorCode } from '../../model/error-codes.js';
import { type ContainerFiles, DEV, enterFiles, IN_CONTAINER, openBelow, PLACE, ROOT } from './container-root.js';
import { coverOf } from './covering-mount.js';

/** What is at a path in a container. */
export interface PathState {
  readonly type: ObjectType;
  /** Permission bits. */
  readonly mode: number;
  /** Bytes of a file. */
  readonly size: number;
  /** Of a link: what is written in it. */
  readonly target: string;
}

/**
 * A path taken apart: the directory that something is in, links followed, and its name there, which is not followed. A path that ends with a
 * slash or with `/.` is that of a directory as such.
 */
function entryOf(pathname: string): { readonly dir: string; readonly base: string } {
  if (/(?:^|\/)\.{0,2}$/.test(pathname)) return { dir: pathname || '/', base: '.' };
  const slash = pathname.lastIndexOf('/');
  return { dir: pathname.slice(0, slash + 1) || '/', base: pathname.slice(slash + 1) };
}

/** The tar of a path in a container, which is opened below its root, and read through no link: see {@link StoredContainer.copyOut}. */
export async function copyOut(files: ContainerFiles, source: string, name: string, { mounts = true }: { readonly mounts?: boolean } = {}): Promise<Readable> {
  const { dir, base } = entryOf(source);
  const place = await enterFiles(files);
  const walk: Op = mounts ? { op: 'walk_seen', dirfd: PLACE, without: DEV, pathname: base } : { op: 'walk', dirfd: PLACE, content: 1, pathname: base };
  // The container's own devices are in a filesystem in memory, which is not told from others by its kind.
  const dev: Op = { ...openBelow('/dev', O.PATH | O.DIRECTORY | O.NOFOLLOW | O.CLOEXEC, DEV), ignore: ['ENOENT', 'ENOTDIR', 'ELOOP'] };
  const archive = treeArchive([...place.program, dev, openBelow(dir), walk], name, {
    seen: mounts,
    explain: (error, last) => explain(error, source, files, textOf(Buffer.from(last, 'latin1'))),
  });
  const read = async function* (): AsyncGenerator<Buffer> {
    try {
      yield* archive as AsyncIterable<Buffer>;
    } finally {
      // Also when nobody reads to the end.
      await place.leave();
    }
  };
  return Readable.from(read(), { objectMode: false });
}

/** What is at a path; a link at its end is not followed. Undefined when nothing is there. @throws EngineError `PATH_NOT_FOUND` for what cannot be looked at */
export async function statPath(files: ContainerFiles, pathname: string): Promise<PathState | undefined> {
  const { dir, base } = entryOf(pathname);
  const place = await enterFiles(files);
  let walked: Walked | undefined;
  try {
    await run([...place.program, openBelow(dir), { op: 'statx', dirfd: PLACE, pathname: base }], {
      onReply(reply) {
        if (reply.kind === 'data') walked = parseWalked(reply.data);
      },
    });
  } catch (error) {
    const cover = files.kind === 'stopped' ? coverOf(pathname, files) : undefined;
    if (error instanceof SyscallError && isOfPath(error.op) && ['ENOENT', 'ENOTDIR'].includes(error.code)) {
      if (!cover?.empty) return undefined;
      throw new EngineError({ code: 'PATH_NOT_FOUND', message: `${pathname} in the container is not there: ${cover.why}`, hint: cover.hint, cause: error });
    }
    throw explain(error, pathname, files);
  } finally {
    await place.leave();
  }
  if (!walked) throw new TypeError('nothing was told of an object that is there');
  const type = objectType(walked);
  if (!type) throw new TypeError(`an object of mode ${walked.mode}`);
  return { type, mode: walked.mode & 0o7777, size: walked.size, target: textOf(Buffer.from(walked.target, 'latin1')) };
}

/** As many links as the kernel follows (path_resolution(7)). */
const MAX_LINKS = 40;

/**
 * Follows links at the end of a path, inside of the container. Directories on the way are followed by the kernel, when they are opened.
 *
 * @returns the path that is none, and what is there; undefined where nothing is
 * @throws EngineError `PATH_NOT_FOUND` for links in a circle
 */
export async function followPath(files: ContainerFiles, pathname: string): Promise<{ readonly pathname: string; readonly state: PathState | undefined }> {
  let at = pathname;
  for (let links = 0; links <= MAX_LINKS; links++) {
    const state = await statPath(files, at);
    if (state?.type !== 'symlink') return { pathname: at, state };
    // Not made shorter: where `..` leads depends on links before it.
    at = state.target.startsWith('/') ? state.target : `${entryOf(at).dir}${state.target}`;
  }
  throw new EngineError({ code: 'PATH_NOT_FOUND', message: `links lead from ${pathname} in the container in a circle`, hint: 'Name the path that is meant.' });
}

/** Unpacks a tar into a directory of a container: see {@link StoredContainer.copyIn}. */
export async function copyIn(files: ContainerFiles, archive: Readable, directory: string, { keepOwners }: { readonly keepOwners: boolean }): Promise<void> {
  const place = await enterFiles(files);
  try {
    // Asked first: what is wrong with the place is not the archive's fault.
    await run([...place.program, openBelow(directory)]).catch((error: unknown) => {
      throw explain(error, directory, files);
    });
    await unpackFiles(archive, {
      enter: [...place.program, { op: 'umask', mask: 0 }],
      top: ROOT,
      // The kernel resolves it: shortened as text, a `..` behind a link would lead to another directory.
      directory,
      resolve: IN_CONTAINER,
      ids: place.ids,
      ...(keepOwners ? {} : { owner: { uid: 0, gid: 0 } }),
    }).catch((error: unknown) => {
      if (error instanceof ImageError && error.code === 'COPY_READ_ONLY') throw readOnly(error, directory, files);
      throw explain(error, directory, files);
    });
  } finally {
    await place.leave();
  }
}

function isOfPath(op: Op): boolean {
  return op.op === 'openat2' || op.op === 'statx' || op.op === 'walk' || op.op === 'walk_seen';
}

/** Says why nothing can be written somewhere. */
function readOnly(error: ImageError, directory: string, files: ContainerFiles): EngineError {
  const cover = coverOf(directory, files);
  return new EngineError({
    code: 'PATH_READ_ONLY',
    message: `nothing can be written to ${directory} in the container: ${cover?.why ?? 'it is read-only there'}`,
    hint: [cover?.hint, error.hint?.includes('stays') ? 'What was copied before stays.' : ''].filter(Boolean).join(' ') || 'Copy to another place.',
    cause: error,
  });
}

function explain(error: unknown, pathname: string, files: ContainerFiles, last = ''): Error {
  if (!(error instanceof SyscallError)) return error as Error;
  const { op, code } = error;
  const make = (code: EngineErrorCode, message: string, hint: string): EngineError => new EngineError({ code, message, hint, cause: error });
  if (op.op === 'flock') return make('CONTAINER_BUSY', 'the container has just been started, or another command copies', 'Try again.');
  if ((op.op === 'pidfd_open' || op.op === 'setns') && code === 'ESRCH') return make('CONTAINER_NOT_RUNNING', 'the container has just ended', 'Try again.');
  if (op.op === 'walk_seen' && !['ENOENT', 'ENOTDIR', 'ELOOP'].includes(code))
    return make(
      'COPY_FAILED',
      `${[pathname, last].filter(Boolean).join('/')} in the container cannot be read: ${code}`,
      code === 'EFBIG' ? 'It does not say how large it is, and has more than 64 MiB.' : 'Copy what is beside it by itself.',
    );
  if (isOfPath(op)) {
    const cover = files.kind === 'stopped' ? coverOf(pathname, files) : undefined;
    const hint = code === 'ENOENT' ? 'Check the path.' : 'A part of its path is not a directory.';
    return make('PATH_NOT_FOUND', `${pathname} in the container cannot be opened: ${code}`, cover?.empty ? cover.hint : hint);
  }
  return error;
}
