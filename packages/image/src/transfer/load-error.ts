import type { AddedImage } from '../model/added-image.js';
import { ImageError } from '../model/image-error.js';

/** Of several images some could not be brought in; the others are in the store. `code` is `IMAGES_NOT_LOADED`. */
export class LoadError extends ImageError {
  static override readonly brand: string = 'LoadError';
  /** The images that are in the store now. */
  readonly loaded: readonly AddedImage[];
  /** What the others are called there, and what is wrong with each. */
  readonly failures: readonly { readonly what: string; readonly error: ImageError }[];

  constructor(loaded: readonly AddedImage[], failures: readonly { readonly what: string; readonly error: ImageError }[]) {
    const count = loaded.length + failures.length;
    super({
      code: 'IMAGES_NOT_LOADED',
      message: `${failures.length} of ${count} images could not be loaded: ${failures.map(({ what, error }) => `'${what}': ${error.message}`).join('; ')}`,
      hint: failures[0]?.error.hint ?? 'Save them again.',
      cause: failures[0]?.error,
    });
    this.loaded = loaded;
    this.failures = failures;
  }
}
