import type { Command } from '../command-line/command.js';
import { updateContainer } from '../operations/update.js';
import { DOCUMENT_COMMANDS, UNSUPPORTED_COMMAND } from './document-commands.js';
import { EVENTS_COMMAND } from './events-command.js';
import { EXEC_COMMAND } from './exec-command.js';
import { INSPECTION_COMMANDS } from './inspection-commands.js';
import { LIFECYCLE_COMMANDS } from './lifecycle-commands.js';
import { rdtSchemas, resourceLimits, UPDATE_FLAGS } from './update-flags.js';

const UPDATE_COMMAND: Command = {
  summary: 'Update the resource limits of a container',
  usage: 'CONTAINER',
  flags: UPDATE_FLAGS,
  arguments: [1, 1],
  async run({ root }, values, [id = '']) {
    await updateContainer(root, id, resourceLimits(values), rdtSchemas(values));
    return 0;
  },
};

/** Every command by its name, in the order in which help lists them. */
export const COMMANDS: Readonly<Record<string, Command>> = {
  create: LIFECYCLE_COMMANDS.create,
  start: LIFECYCLE_COMMANDS.start,
  state: INSPECTION_COMMANDS.state,
  kill: LIFECYCLE_COMMANDS.kill,
  delete: LIFECYCLE_COMMANDS.delete,
  run: LIFECYCLE_COMMANDS.run,
  exec: EXEC_COMMAND,
  list: INSPECTION_COMMANDS.list,
  ps: INSPECTION_COMMANDS.ps,
  pause: LIFECYCLE_COMMANDS.pause,
  resume: LIFECYCLE_COMMANDS.resume,
  update: UPDATE_COMMAND,
  events: EVENTS_COMMAND,
  checkpoint: UNSUPPORTED_COMMAND,
  restore: UNSUPPORTED_COMMAND,
  features: DOCUMENT_COMMANDS.features,
  spec: DOCUMENT_COMMANDS.spec,
};
