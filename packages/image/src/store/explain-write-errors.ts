import type { ImageErrorCode } from '../model/error-codes.js';
import { ImageError } from '../model/image-error.js';
import type { StorePaths } from './store-paths.js';

const REASONS: Readonly<Record<string, { readonly code: ImageErrorCode; readonly what: string; readonly hint: string }>> = {
  ENOSPC: { code: 'STORE_NO_SPACE', what: 'has no space left', hint: 'Free some (lamella image prune, lamella system df), or choose another --root.' },
  EDQUOT: { code: 'STORE_NO_SPACE', what: 'is over its disk quota', hint: 'Free some (lamella image prune, lamella system df), or choose another --root.' },
  EROFS: { code: 'STORE_READ_ONLY', what: 'is on a filesystem that is mounted read-only', hint: 'Mount it for writing, or choose another --root.' },
  EACCES: { code: 'STORE_READ_ONLY', what: 'may not be written by you', hint: 'It belongs to another user: choose one of yours with --root.' },
};

/**
 * Does something that writes to a store, and says what is wrong with the store when it is that.
 *
 * @throws ImageError `STORE_NO_SPACE`, `STORE_READ_ONLY`, with the system's error as its cause; all else as it comes
 */
export async function explainWriteErrors<Result>(paths: StorePaths, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (cause) {
    const reason = REASONS[causeOf(cause)];
    if (!reason) throw cause;
    throw new ImageError({ code: reason.code, message: `the store ${paths.root} ${reason.what}`, hint: reason.hint, cause });
  }
}

/** The errno's name of a failed call, of Node's or of ours; a reason found closer to it stays. */
function causeOf(error: unknown): string {
  if (error instanceof ImageError && error.code === 'ROOT_UNUSABLE') return causeOf(error.cause);
  return error instanceof ImageError ? '' : String((error as { code?: unknown } | undefined)?.code ?? '');
}
