import path from 'node:path';
import { MONITOR_INPUT, MONITOR_RAW } from '@lamella/syscall';
import type { CommandContext } from '../command-line/command.js';
import { preservedDescriptors } from '../command-line/open-descriptors.js';
import { booleanFlag, type Flags, textFlag, type Values } from '../command-line/parse-flags.js';
import type { Console } from '../model/console.js';
import type { CreateOptions } from '../model/create-options.js';

/** Flags that `create`, `run` and `exec` share. */
export const PROCESS_FLAGS = {
  'console-socket': { type: 'string', value: 'FILE', about: "Unix socket that receives the master end of the process's pseudo-TTY" },
  'pid-file': { type: 'string', value: 'FILE', about: 'Write the process ID to the file' },
  'preserve-fds': { type: 'string', value: 'N', about: 'Pass N additional file descriptors to the process (from 3 on)' },
} as const satisfies Flags;

/** The flags of `create`, which `run` has too. */
export const CREATE_FLAGS: Flags = {
  bundle: { type: 'string', short: 'b', value: 'DIR', about: 'Path to the bundle directory (default: the current directory)' },
  ...PROCESS_FLAGS,
  'no-pivot': { type: 'boolean', about: 'Do not use pivot_root, for a root filesystem on a ramdisk' },
  'no-new-keyring': { type: 'boolean', about: 'Do not create a new session keyring for the container' },
};

/** @param stay whether this command waits for the container's process */
export function createOptions(
  { root, log, systemdCgroup }: CommandContext,
  values: Values,
  [id = '']: readonly string[],
  { stay }: { readonly stay: boolean },
): CreateOptions {
  return {
    root,
    id,
    bundle: path.resolve(textFlag(values, 'bundle') ?? '.'),
    console: consoleOf(values, stay),
    pidFile: textFlag(values, 'pid-file'),
    preserved: preservedDescriptors(values),
    noPivot: booleanFlag(values, 'no-pivot'),
    noNewKeyring: booleanFlag(values, 'no-new-keyring'),
    stay,
    systemdCgroup,
    log,
  };
}

/**
 * Returns where a terminal of the process goes.
 *
 * @param isForeground whether this command's own terminal is used without `--console-socket`
 */
export function consoleOf(values: Values, isForeground: boolean): Console {
  const socket = textFlag(values, 'console-socket');
  if (socket !== undefined) return { socket: path.resolve(socket) };
  return isForeground ? { monitor: MONITOR_INPUT + (process.stdin.isTTY ? MONITOR_RAW : 0) } : undefined;
}
