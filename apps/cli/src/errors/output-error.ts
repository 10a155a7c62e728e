import { constants } from 'node:os';
import { LamellaError } from '@lamella/syscall';

/** What a command had to say could not be written to stdout. */
export class OutputError extends LamellaError {
  override readonly name = 'OutputError';

  /** @param cause what the system call said */
  constructor(cause: unknown) {
    const { code = 'EIO' } = cause as NodeJS.ErrnoException;
    super({
      code: 'OUTPUT_FAILED',
      message: `cannot write to stdout: ${REASONS[code] ?? code}`,
      cause,
    });
  }

  /** The reader is gone, as head(1) is when it has read enough: nothing to complain about. */
  get isClosedPipe(): boolean {
    return (this.cause as NodeJS.ErrnoException).code === 'EPIPE';
  }

  /** The exit status: for a closed pipe that of a process which SIGPIPE ended. */
  get status(): number {
    return this.isClosedPipe ? 128 + constants.signals.SIGPIPE : 125;
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: 'no space left on the device (ENOSPC)',
  EIO: 'input/output error (EIO)',
  EBADF: 'it is closed (EBADF)',
  EDQUOT: 'the disk quota is exceeded (EDQUOT)',
  EFBIG: 'the file would be too large (EFBIG)',
};
