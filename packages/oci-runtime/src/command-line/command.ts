import type { Log } from '../model/log.js';
import type { Flags, Values } from './parse-flags.js';

/** What every command is given: the global flags, read. */
export interface CommandContext {
  /** Absolute path of the directory with the state of all containers. */
  readonly root: string;
  readonly log: Log;
  readonly systemdCgroup: boolean;
  readonly version: string;
}

/** A command of the command line. */
export interface Command {
  /** One line for the list of commands. */
  readonly summary: string;
  /** The arguments, as help shows them. */
  readonly usage: string;
  readonly flags: Flags;
  /** The smallest and the largest number of arguments. */
  readonly arguments: readonly [least: number, most: number];
  /** Whether flags end at the first argument, because another command line follows. */
  readonly passesOn?: boolean;
  /** The exit status of a failure. Default: 1. */
  readonly failure?: number;
  readonly run: (context: CommandContext, values: Values, args: readonly string[]) => Promise<number | undefined> | number | undefined;
}

/** Returns a command whose only argument is the id of a container. */
export function commandOnContainer(summary: string, act: (context: CommandContext, id: string) => Promise<void>): Command {
  return {
    summary,
    usage: 'CONTAINER',
    flags: {},
    arguments: [1, 1],
    async run(context, _values, [id = '']) {
      await act(context, id);
      return 0;
    },
  };
}
