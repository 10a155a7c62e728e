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
