import { ImageError } from '../model/image-error.js';
import { printable } from '../tar/entry.js';

/** PATH_MAX with its NUL (limits.h). */
const PATH_MAX = 4096;
/** Nothing that a clean path has: empty, `.` or `..` components, NUL. */
const UNCLEAN = /^\/|\/\/|(?:^|\/)\.{1,2}(?:\/|$)|\/$|\0/;

/**
 * Where an entry's name (or a hard link's target) leads, relative to the layer: Docker's rule. The
 * leading slash goes, `.` and `..` are resolved in the text; what would leave the layer is refused.
 *
 * @returns the clean path; empty for the layer's own root
 * @throws ImageError `LAYER_PATH_ESCAPES`, `LAYER_PATH_INVALID`
 */
export function entryPath(name: string, entry: string = name): string {
  if (!UNCLEAN.test(name)) {
    if (name.length < PATH_MAX) return name;
    throw new ImageError({
      code: 'LAYER_PATH_INVALID',
      message: `'${printable(entry)}' has a path longer than ${PATH_MAX - 1} bytes`,
      hint: 'Linux cannot open such a path.',
    });
  }
  if (name.includes('\0'))
    throw new ImageError({
      code: 'LAYER_PATH_INVALID',
      message: `'${printable(entry)}' has a NUL in its path`,
      hint: 'The archive is damaged, or made to do damage.',
    });
  const clean: string[] = [];
  for (const part of name.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') clean.push(part);
    else if (clean.pop() === undefined && !name.startsWith('/'))
      throw new ImageError({
        code: 'LAYER_PATH_ESCAPES',
        message:
          entry === name ? `'${printable(entry)}' leads out of the image` : `the link '${printable(entry)}' leads out of the image, to '${printable(name)}'`,
        hint: 'The archive is made to do damage; nothing of it was kept.',
      });
  }
  return entryPath(clean.join('/'), entry);
}
