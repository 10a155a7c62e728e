import { O, RESOLVE } from '../ops/constants.js';
import { AT_FDCWD, type Bytes, type Op } from '../ops/op.js';

/** The op that opens a path with rules about links. */
export type OpenOp = Extract<Op, { readonly op: 'openat2' }>;

/** What to open. */
export interface OpenFlags {
  /** `O.PATH`, the default, or an access mode such as `O.RDONLY`. */
  readonly access?: number;
  /** Whether anything except a directory fails with `ENOTDIR`. Default false. */
  readonly directory?: boolean;
}

function open(dirfd: number, pathname: Bytes, out: number, { access = O.PATH, directory = false }: OpenFlags, resolve: number): OpenOp {
  return { op: 'openat2', dirfd, pathname, flags: access | (directory ? O.DIRECTORY : 0) | O.CLOEXEC, mode: 0, resolve, out };
}

/**
 * Returns the op that opens a path as a process sees it whose root is `root`. Absolute links and `..` stay inside the root. Magic
 * links, such as `/proc/self/fd/3`, fail with `ELOOP`, because they lead out of any root (CVE-2018-15664, CVE-2024-21626).
 *
 * @param root slot of the root directory
 * @param out slot of the descriptor
 * @param options `symlinks`: whether links are followed; default true. Otherwise they fail with `ELOOP`.
 * @see openat2(2), `RESOLVE_IN_ROOT`
 */
export function openInRoot(
  root: number,
  pathname: Bytes,
  out: number,
  { symlinks = true, ...flags }: OpenFlags & { readonly symlinks?: boolean } = {},
): OpenOp {
  return open(root, pathname, out, flags, RESOLVE.IN_ROOT | (symlinks ? RESOLVE.NO_MAGICLINKS : RESOLVE.NO_SYMLINKS));
}

/**
 * Returns the op that opens a path below a directory. A link in the path fails with `ELOOP`, and a path out of the directory with
 * `EXDEV`, so other users who can write below the directory cannot redirect it.
 *
 * @param directory slot of the directory
 * @param pathname relative path
 * @param out slot of the descriptor
 * @see openat2(2), `RESOLVE_BENEATH`
 */
export function openBeneath(directory: number, pathname: Bytes, out: number, flags: OpenFlags = {}): OpenOp {
  return open(directory, pathname, out, flags, RESOLVE.BENEATH | RESOLVE.NO_SYMLINKS);
}

/**
 * Returns the op that opens a path of the host without following links: a link in the path fails with `ELOOP`.
 *
 * @param pathname absolute path, whose links the caller has resolved before
 * @param out slot of the descriptor
 * @see openat2(2), `RESOLVE_NO_SYMLINKS`
 */
export function openWithoutLinks(pathname: Bytes, out: number, flags: OpenFlags = {}): OpenOp {
  return open(AT_FDCWD, pathname, out, flags, RESOLVE.NO_SYMLINKS | RESOLVE.NO_MAGICLINKS);
}
