import { parseCommand } from '../command-line/parse-command.js';
import { UsageError } from '../errors/usage-error.js';
import { CONTAINER_FLAGS, RUN_FLAGS, type RunFlags } from './run-flags.js';

/** The parsed command line of `run` or `create`. */
export interface RunCommandLine {
  readonly flags: RunFlags;
  /** Empty with `--on`: the container has an image. */
  readonly image: string;
  readonly args: readonly string[];
  /** The names of the flags on the command line. */
  readonly given: ReadonlySet<string>;
}

/**
 * Parses `[OPTIONS] IMAGE [COMMAND [ARG…]]`. Everything after IMAGE belongs to the command, even words
 * that look like flags.
 *
 * @throws UsageError
 */
export async function parseRun(argv: readonly string[], command: 'run' | 'create' = 'run'): Promise<RunCommandLine> {
  const { flags: parsed, words, given } = await parseCommand(argv, { command, flags: command === 'run' ? RUN_FLAGS : CONTAINER_FLAGS, leading: true });
  const flags = { ...parsed, rm: given.has('rm') ? parsed.rm : undefined } as unknown as RunFlags;
  if (flags.on !== undefined) return { flags, image: '', args: words, given };
  const [image, ...args] = words;
  if (image === undefined) throw new UsageError('no image given', `Usage: lamella ${command} [OPTIONS] IMAGE [COMMAND [ARG…]]. See lamella ${command} --help.`);
  return { flags, image, args, given };
}
