import { fstatSync, readFileSync } from 'node:fs';
import type { Command } from '../command-line/command.js';
import { usageError } from '../command-line/parse-flags.js';
import { explainStart } from '../operations/start.js';

/** The descriptor in which the native launcher passes replies. native/oci/oci-start.c has the same number. */
const REPLIES_FD = 3;
/** A process that waits to be started has a few ops left, each with one reply. */
const REPLIES_MAX = 1 << 20;

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
    if (fstatSync(REPLIES_FD).isFile() && fstatSync(REPLIES_FD).size <= REPLIES_MAX) return readFileSync(REPLIES_FD);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EBADF') throw error;
  }
  throw usageError('.start-failure is an internal command');
}
