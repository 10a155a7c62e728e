import { AT_FDCWD, O, openObject, type Program, RESOLVE, SyscallError, shellWord } from '@lamella/syscall';
import { EngineError } from '../../model/engine-error.js';
import type { Source, Sources } from '../../model/source.js';
import { describeSource, differenceOf, directoryAt, linkIn, lookAt } from './identify-source.js';
import { OF_VIEW, type SourceSpec, sourcePaths } from './record-sources.js';

/** Sources as they are now, which is as they were recorded. A program expects exactly these, and opens them through no link. */
export interface CheckedSources {
  /** What the container is called in messages. */
  readonly container: string;
  readonly now: Sources;
  /**
   * Directories of a view of the host that are not what they were, by their recorded paths, each with the error of a command that needs
   * it. The other directories of the view do not depend on them.
   */
  readonly gone?: ReadonlyMap<string, EngineError>;
}

/**
 * Compares what a container was given with what is there. A volume, a device or a workspace that differs is refused. A directory of a
 * view of the host that differs is listed in `gone`.
 *
 * @param spec whose sources are compared
 * @param container what it is called in messages
 * @param untouched directories of a view of the host in which the container has changed nothing, by the paths in the spec: what is there now
 * is seen from now on, if it is a directory, and left out if not
 * @throws EngineError `VOLUME_MOVED`
 */
export function checkSources(recorded: Sources, spec: SourceSpec, container: string, untouched: ReadonlySet<string> = new Set()): CheckedSources {
  const now = new Map<string, Source>();
  const gone = new Map<string, EngineError>();
  for (const [pathname, what] of sourcePaths(spec)) {
    const was = recorded.get(pathname);
    if (now.has(pathname) || (!was && what === OF_VIEW)) continue;
    if (!was) throw new TypeError(`nothing is recorded of ${pathname}`);
    try {
      const is = untouched.has(pathname) ? directoryAt(was.path) : sameAs(was, what, container);
      if (is) now.set(pathname, is);
    } catch (error) {
      if (what !== OF_VIEW || !(error instanceof EngineError)) throw error;
      gone.set(was.path, error);
    }
  }
  return { container, now, gone };
}

/** Returns the object that a path of a spec leads to. */
export function givenAt({ now }: CheckedSources, pathname: string): Source {
  const found = now.get(pathname);
  if (!found) throw new TypeError(`nothing is recorded of ${pathname}`);
  return found;
}

function sameAs(was: Source, what: string, container: string): Source {
  const link = linkIn(was.path);
  if (link) throw moved(was, what, container, `${link.at === was.path ? 'it' : link.at} is a symbolic link to ${link.target}`);
  let is: Source;
  try {
    is = lookAt(was.path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw moved(was, what, container, code === 'ENOENT' || code === 'ENOTDIR' ? 'nothing is there' : `it cannot be looked at (${code})`);
  }
  if (differenceOf(was, is) !== undefined) throw moved(was, what, container, `it is ${describeSource(is)}`);
  return is;
}

/** The error of a command that needs what a container changed in a directory of the host that is not there any more. */
export function goneDirectory(pathname: string, paths: readonly string[], { container, gone }: CheckedSources): EngineError {
  const TOLD = 5;
  const told = `${paths.slice(0, TOLD).join(', ')}${paths.length > TOLD ? ` and ${paths.length - TOLD} more` : ''}`;
  const why = gone?.get(pathname)?.message ?? `${pathname}, ${OF_VIEW} of the container ${container}, is not what it was when the container wrote there`;
  return new EngineError({
    code: 'VOLUME_MOVED',
    message: `${why}; the changes there cannot be applied: ${told}`,
    hint: `Nothing was applied. Mount it again, or put it back; or apply the other changes by their paths: lamella apply ${container} PATH`,
  });
}

function moved(was: Source, what: string, container: string, now: string): EngineError {
  return new EngineError({
    code: 'VOLUME_MOVED',
    message: `${was.path}, ${what} of the container ${container}, is not what it was when the container was made: it was ${describeSource(was)}, and now ${now}`,
    hint:
      what === 'a device' || what === 'the source of a volume' || what === 'a source'
        ? `Nothing was changed. Put back what was there. If you replaced it yourself: lamella start --accept-source ${shellWord(was.path)} ${container}`
        : `Nothing was changed. Put back what was there. If you did not replace it, find out what did: ls -ld ${shellWord(was.path)}`,
  });
}

/**
 * Returns ops that open a directory of the host that a container was given, if it is what it was.
 *
 * @param given nothing for `/`, which cannot be exchanged, and what an earlier version wrote down
 * @throws EngineError `VOLUME_MOVED`
 */
export function openGiven(pathname: string, given: Source | undefined, out: number): Program {
  if (given) return openObject(given.path, sameAs(given, 'a directory', 'that changed it').identity, out);
  return [{ op: 'openat', dirfd: AT_FDCWD, pathname, flags: O.PATH | O.DIRECTORY | O.CLOEXEC, mode: 0, out }];
}

/** Says what it means that a program did not find a source as it was a moment before; undefined for any other failure. */
export function explainMoved(error: unknown, { container, now }: CheckedSources): EngineError | undefined {
  if (!(error instanceof SyscallError)) return undefined;
  const { op, code } = error;
  const opened =
    op.op === 'openat2' && op.resolve === (RESOLVE.NO_SYMLINKS | RESOLVE.NO_MAGICLINKS) && ['ELOOP', 'ENOENT', 'ENOTDIR'].includes(code)
      ? [...now.values()].find((each) => each.path === op.pathname)
      : undefined;
  const same =
    op.op === 'same_object' && code === 'ESTALE'
      ? [...now.values()].find(({ identity }) => BigInt(identity.inode) === (BigInt(op.ino_high) << 32n) + BigInt(op.ino_low))
      : undefined;
  const found = opened ?? same;
  return found && moved(found, 'a source', container, 'it was exchanged in this moment');
}
