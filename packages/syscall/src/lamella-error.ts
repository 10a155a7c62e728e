/** What every error of Lamella's packages can say: a stable code, what happened, what to do. */
export interface LamellaErrorFields {
  /** Stable and documented, for programs: `IMAGE_NOT_FOUND`, `EPERM`, … */
  readonly code: string;
  /** What happened to which object. */
  readonly message: string;
  /** What to do about it. */
  readonly hint?: string | undefined;
  readonly cause?: unknown;
}

/** The base of every error that a package of Lamella throws on purpose. */
export class LamellaError extends Error {
  override readonly name: string = 'LamellaError';
  readonly code: string;
  readonly hint: string | undefined;

  constructor(fields: LamellaErrorFields) {
    super(fields.message, fields.cause === undefined ? undefined : { cause: fields.cause });
    this.code = fields.code;
    this.hint = fields.hint;
  }

  /** The same fields for `--json`. */
  toJSON(): { name: string; code: string; message: string; hint?: string } {
    return {
      name: this.name,
      code: this.code,
      message: this.message,
      ...(this.hint === undefined ? {} : { hint: this.hint }),
    };
  }
}
