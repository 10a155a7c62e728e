import { FILE_BOUNDS, FileError, readNamed } from '@lamella/syscall';
import type { Command } from '../command-line/command.js';
import { usageError } from '../command-line/parse-flags.js';
import { explainStart } from '../operations/start.js';

/** The descriptor in which the native launcher passes replies. native/oci/oci-start.c has the same number. */
const REPLIES_FD = 3;

/** Commands that the native launcher executes. Help does not list them. */
export const INTERNAL_COMMANDS: Readonly<Record<string, Command>> = {
  '.start-failure': {
    summary: 'Explain why the native launcher could not start a container',
    usage: 'CONTAINER',
    flags: {},
    arguments: [1, 1],
    run({ root }, _values, [id = '']) {
      return explainStart(root, id, replies());
    },
  },
};

function replies(): Buffer {
  try {
    return readNamed(REPLIES_FD, FILE_BOUNDS.bundle);
  } catch (error) {
    if (error instanceof FileError) throw usageError('.start-failure is an internal command');
    throw error;
  }
}
