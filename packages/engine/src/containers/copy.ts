import path from 'node:path';
import { Readable } from 'node:stream';
import { type ContainerRecord, lockOf } from '@lamella/cleanup';
import { applyLayer, ImageError, treeArchive } from '@lamella/image';
import { becomeRoot } from '@lamella/namespace';
import { hasLowerdirPlus, methodFor, type OverlayStack, overlayMount } from '@lamella/overlay';
import {
  AT_FDCWD,
  CLONE,
  idMapping,
  LOCK,
  O,
  type Op,
  ownMountNamespace,
  type Program,
  RESOLVE,
  run,
  runMapped,
  SyscallError,
  slotAllocator,
} from '@lamella/syscall';
import { EngineError } from '../engine-error.js';

/** The files of a container, for those who copy: those of its processes, or its stack when it has none. */
export type ContainerFiles =
  | { readonly kind: 'running'; readonly pid: number /** In a user namespace that is not this user's own. */; readonly shifted: boolean }
  | { readonly kind: 'stopped'; readonly record: ContainerRecord; readonly stack: OverlayStack };

/** Slots that whoever writes files does not use. */
const [ROOT, PLACE, HELD] = [20, 21, 22] as const;

/**
 * The tar of a path in a container, whose links lead nowhere outside of it, whoever changes them
 * meanwhile (CVE-2018-15664): it is opened below its root, and read without following any.
 *
 * @param source absolute path inside
 * @param name what it is called in the archive; `.` for a directory's content
 * @throws (by the stream) EngineError `PATH_NOT_FOUND`
 */
export async function copyOut(files: ContainerFiles, source: string, name: string): Promise<Readable> {
  const { dir, base } = path.posix.parse(path.posix.resolve('/', source));
  const place = await enter(files);
  const archive = treeArchive([...place.program, openBelow(dir), { op: 'walk', dirfd: PLACE, content: 1, pathname: base || '.' }], name);
  const read = async function* (): AsyncGenerator<Buffer> {
    try {
      yield* archive as AsyncIterable<Buffer>;
    } catch (error) {
      throw explain(error, source);
    } finally {
      // Also when nobody reads to the end.
      await place.leave();
    }
  };
  return Readable.from(read(), { objectMode: false });
}

/**
 * Whether a path in a container is a directory, links followed inside of it; undefined when it is not there.
 */
export async function isDirectory(files: ContainerFiles, pathname: string): Promise<boolean | undefined> {
  const place = await enter(files);
  const attempt = async (flags: number): Promise<string | undefined> => {
    try {
      await run([...place.program, openBelow(pathname, flags)]);
      return undefined;
    } catch (error) {
      if (error instanceof SyscallError && error.op.op === 'openat2') return error.code;
      throw explain(error, pathname);
    }
  };
  try {
    if ((await attempt(O.PATH | O.DIRECTORY | O.CLOEXEC)) === undefined) return true;
    return (await attempt(O.PATH | O.CLOEXEC)) === undefined ? false : undefined;
  } finally {
    await place.leave();
  }
}

/**
 * Unpack a tar into a directory of a container, which is the root of whoever unpacks.
 *
 * @param directory absolute path inside, of a directory
 * @param keepOwners files belong to whom the archive says, else to the container's root
 * @throws EngineError `PATH_NOT_FOUND`, `COPY_FAILED`; ImageError of a bad archive
 */
export async function copyIn(files: ContainerFiles, archive: Readable, directory: string, { keepOwners }: { readonly keepOwners: boolean }): Promise<void> {
  const place = await enter(files);
  const jail: Program = [
    ...place.program,
    openBelow(directory),
    { op: 'fchdir', fd: PLACE },
    { op: 'chroot', path: '.' },
    { op: 'close', fd: PLACE },
    { op: 'close', fd: ROOT },
    { op: 'umask', mask: 0 },
  ];
  try {
    // Asked alone: who unpacks cannot tell which op of its jail failed.
    await run([...place.program, openBelow(directory)]).catch((error: unknown) => {
      throw explain(error, directory);
    });
    await applyLayer(archive, '/', {
      plain: { enter: jail, ids: files.kind === 'running' && files.shifted ? 'full' : idMapping().kind, ...(keepOwners ? {} : { owner: { uid: 0, gid: 0 } }) },
    }).catch((error: unknown) => {
      if (!(error instanceof ImageError && error.code.startsWith('LAYER_'))) throw error;
      throw new EngineError({
        code: 'COPY_FAILED',
        message: error.message.replace('unpacked', 'copied'),
        hint: 'What came before it in the archive is there.',
        cause: error,
      });
    });
  } finally {
    await place.leave();
  }
}

function openBelow(pathname: string, flags: number = O.PATH | O.DIRECTORY | O.CLOEXEC): Op {
  return { op: 'openat2', dirfd: ROOT, pathname, flags, mode: 0, resolve: RESOLVE.IN_ROOT | RESOLVE.NO_MAGICLINKS, out: PLACE };
}

interface Place {
  /** Ops after which the slot ROOT is the container's root. */
  readonly program: Program;
  /** Take away what was made for it. */
  leave(): Promise<void>;
}

async function enter(files: ContainerFiles): Promise<Place> {
  const root = (pathname: string): Op => ({ op: 'openat', dirfd: AT_FDCWD, pathname, flags: O.PATH | O.DIRECTORY | O.CLOEXEC, mode: 0, out: ROOT });
  if (files.kind === 'running')
    return {
      program: [
        { op: 'pidfd_open', pid: files.pid, flags: 0, out: HELD },
        { op: 'setns', fd: HELD, nstype: CLONE.NEWNS | (idMapping().kind === 'host' && !files.shifted ? 0 : CLONE.NEWUSER) },
        { op: 'close', fd: HELD },
        ...(files.shifted ? becomeRoot : []),
        root('/'),
      ],
      leave: async () => undefined,
    };
  const { stack, record } = files;
  const slots = slotAllocator(30);
  const lowerdirPlus = methodFor(stack, { lowerdirPlus: false }) !== 'mount' && (await hasLowerdirPlus());
  const lock: Program = [
    { op: 'openat', dirfd: AT_FDCWD, pathname: lockOf(record), flags: O.RDWR | O.CLOEXEC, mode: 0, out: HELD },
    { op: 'flock', fd: HELD, operation: LOCK.EX | LOCK.NB },
  ];
  const made = [stack.workdir, stack.merged].filter((each) => each !== undefined);
  return {
    program: [
      ...ownMountNamespace(),
      ...lock,
      ...made.map((pathname): Op => ({ op: 'mkdirat', dirfd: AT_FDCWD, pathname, mode: 0o755, ignore: ['EEXIST'] })),
      ...overlayMount(stack, methodFor(stack, { lowerdirPlus }), slots),
      root(stack.merged),
    ],
    // Its mount went with its namespace; the directories go when nobody uses them again.
    async leave() {
      await runMapped([...lock, ...made.map((pathname): Op => ({ op: 'rmtree', dirfd: AT_FDCWD, pathname }))]).catch((error: unknown) => {
        // Started, or removed, in the meantime: they are somebody's now, or gone.
        if (!(error instanceof SyscallError && (error.op.op === 'flock' || error.op.op === 'openat'))) throw error;
      });
    },
  };
}

function explain(error: unknown, pathname: string): Error {
  if (!(error instanceof SyscallError)) return error as Error;
  const { op, code } = error;
  const make = (name: string, message: string, hint: string): EngineError => new EngineError({ code: name, message, hint, cause: error });
  if (op.op === 'flock') return make('CONTAINER_BUSY', 'the container has just been started, or somebody else copies', 'Try again.');
  if ((op.op === 'pidfd_open' || op.op === 'setns') && code === 'ESRCH') return make('CONTAINER_NOT_RUNNING', 'the container has just ended', 'Try again.');
  if (op.op === 'openat2' || op.op === 'walk')
    return make(
      'PATH_NOT_FOUND',
      `${pathname} in the container cannot be opened: ${code}`,
      code === 'ENOENT' ? 'Check the path.' : 'A part of its path is not a directory.',
    );
  return error;
}
