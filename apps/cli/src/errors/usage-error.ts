/** The command line is wrong: exit status 125, as for Docker. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  readonly code = 'USAGE';
  readonly hint: string;

  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
  }

  toJSON(): { name: string; code: string; message: string; hint: string } {
    return { name: this.name, code: this.code, message: this.message, hint: this.hint };
  }
}

/** Returns what oclif's parser says as one of ours: its first line is the message, what follows comes before the hint. */
export function usageOf(said: string, hint: string): UsageError {
  const lines = said
    .replace(/\nSee more help with --help$/, '')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line && !/^The following errors? occurred:$/.test(line));
  const [message = 'the command line is wrong', ...more] = lines;
  return new UsageError(message, [...more, hint].join('\n'));
}
