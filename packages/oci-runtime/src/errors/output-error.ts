import { constants } from 'node:os';
import { OciError } from './oci-error.js';

/** What a command had to say could not be written to stdout. */
export class OutputError extends OciError {
  /** The exit status, where it is another than that of other failures: when the reader is gone, that of a process which SIGPIPE ended. */
  readonly status: number | undefined;

  /** @param cause what the system call said */
  constructor(cause: unknown) {
    const { code = 'EIO' } = cause as NodeJS.ErrnoException;
    super({ code: 'OUTPUT_FAILED', message: `cannot write to stdout: ${code}`, cause });
    this.status = code === 'EPIPE' ? 128 + constants.signals.SIGPIPE : undefined;
  }
}
