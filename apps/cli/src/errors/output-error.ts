import { constants } from 'node:os';
import { LamellaError } from '@lamella/syscall';

/** The output of a command could not be written to stdout. */
export class OutputError extends LamellaError<'OUTPUT_FAILED'> {
  static override readonly brand: string = 'CliOutputError';
  override readonly name = 'OutputError';

  /** @param cause the error of the system call */
  constructor(cause: unknown) {
    const { code = 'EIO' } = cause as NodeJS.ErrnoException;
    super({
      code: 'OUTPUT_FAILED',
      message: `cannot write to stdout: ${REASONS[code] ?? code}`,
      cause,
    });
  }

  /** Whether the reader has closed the pipe, as head(1) does. That is not reported. */
  get isClosedPipe(): boolean {
    return (this.cause as NodeJS.ErrnoException).code === 'EPIPE';
  }

  /** The exit status: 141 for a closed pipe, as after SIGPIPE; otherwise 125. */
  get status(): number {
    return this.isClosedPipe ? 128 + constants.signals.SIGPIPE : 125;
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: 'no space left on the device (ENOSPC)',
  EIO: 'input/output error (EIO)',
  EBADF: 'the descriptor is closed (EBADF)',
  EDQUOT: 'disk quota exceeded (EDQUOT)',
  EFBIG: 'file too large (EFBIG)',
};
