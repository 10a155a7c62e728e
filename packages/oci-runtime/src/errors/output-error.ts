import { constants } from 'node:os';
import { OciError } from './oci-error.js';

/** The output of a command could not be written to stdout. */
export class OutputError extends OciError {
  static override readonly brand: string = 'OciOutputError';
  /** The exit status if it differs from other failures: 141, as after SIGPIPE, when the reader has closed the pipe. */
  readonly status: number | undefined;

  /** @param cause the error of the system call */
  constructor(cause: unknown) {
    const { code = 'EIO' } = cause as NodeJS.ErrnoException;
    super({ code: 'OUTPUT_FAILED', message: `cannot write to stdout: ${code}`, cause });
    this.status = code === 'EPIPE' ? 128 + constants.signals.SIGPIPE : undefined;
  }
}
