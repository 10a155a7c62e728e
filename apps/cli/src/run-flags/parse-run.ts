import { parseCommand } from '../command-line/parse-command.js';
import { UsageError } from '../errors/usage-error.js';
import { CONTAINER_FLAGS, RUN_FLAGS, type RunFlags } from './run-flags.js';

/** A command line of `run` or `create`, taken apart. */
export interface RunCommandLine {
  readonly flags: RunFlags;
  /** Nothing with `--on`, whose container has one. */
  readonly image: string;
  readonly args: readonly string[];
  /** Names of the flags that were given. */
  readonly given: ReadonlySet<string>;
}

/**
 * Takes `[FLAGS] IMAGE [COMMAND [ARG…]]` apart. Everything after IMAGE is the command's, whatever
 * it looks like.
 *
 * @throws UsageError
 */
export async function parseRun(argv: readonly string[], command: 'run' | 'create' = 'run'): Promise<RunCommandLine> {
  const { flags: parsed, words, given } = await parseCommand(argv, { command, flags: command === 'run' ? RUN_FLAGS : CONTAINER_FLAGS, leading: true });
  const flags = { ...parsed, rm: given.has('rm') ? parsed.rm : undefined } as unknown as RunFlags;
  if (flags.on !== undefined) return { flags, image: '', args: words, given };
  const [image, ...args] = words;
  if (image === undefined) throw new UsageError('no image was named', `lamella ${command} [FLAGS] IMAGE [COMMAND [ARG…]]. See 'lamella ${command} --help'.`);
  return { flags, image, args, given };
}
