/** The fields of every error of Lamella. */
export interface LamellaErrorFields<Code extends string = string> {
  /** Stable and documented, for programs: `IMAGE_NOT_FOUND`, `EPERM`, … */
  readonly code: Code;
  /** What failed, on what, and why. */
  readonly message: string;
  /** What to do about it. */
  readonly hint?: string | undefined;
  readonly cause?: unknown;
}

/** The base of every error that a package of Lamella throws on purpose. Each package has its own class, whose codes are a union. */
export abstract class LamellaError<Code extends string = string> extends Error {
  /** The name of the class, by which a copy of it is known. */
  static readonly brand: string = 'LamellaError';
  override readonly name: string = 'LamellaError';
  /** Stable and documented, for programs. */
  readonly code: Code;
  /** What to do about it. */
  readonly hint: string | undefined;

  constructor(fields: LamellaErrorFields<Code>) {
    super(fields.message, fields.cause === undefined ? undefined : { cause: fields.cause });
    this.code = fields.code;
    this.hint = fields.hint;
  }

  /**
   * Makes `instanceof` true for errors of another copy of a package. A bundle of the CLI has one copy, and modules that it loads on demand come
   * with another one.
   */
  static override [Symbol.hasInstance](value: unknown): boolean {
    // biome-ignore lint/complexity/noThisInStatic: each subclass inherits the method, and `this` is the subclass
    return isInstance(this, value);
  }

  /** The fields for `--json`. */
  toJSON(): { name: string; code: Code; message: string; hint?: string } {
    return {
      name: this.name,
      code: this.code,
      message: this.message,
      ...(this.hint === undefined ? {} : { hint: this.hint }),
    };
  }
}

function isInstance(type: typeof LamellaError, value: unknown): boolean {
  if (Function.prototype[Symbol.hasInstance].call(type, value)) return true;
  if (!(value instanceof Error) || !Object.hasOwn(type, 'brand')) return false;
  for (let each: unknown = value.constructor; typeof each === 'function'; each = Object.getPrototypeOf(each))
    if (Object.hasOwn(each, 'brand') && (each as typeof LamellaError).brand === type.brand) return true;
  return false;
}
