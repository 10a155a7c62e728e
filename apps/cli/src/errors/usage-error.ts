/** An error of the command line. The exit status is 125, as with Docker. */
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

/** Returns the hint below an error of a command line. */
export function helpHint(command: string): string {
  return `See lamella ${command} --help.`;
}

/** Returns a message of oclif's parser as a usage error: the first line is its message, the others are part of the hint. */
export function usageErrorFrom(said: string, hint: string): UsageError {
  const lines = said
    .replace(/\nSee more help with --help$/, '')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line && !/^The following errors? occurred:$/.test(line));
  const [message = 'invalid command line', ...more] = lines;
  return new UsageError(message, [...more, hint].join('\n'));
}
