import { type Command, commandOnContainer } from '../command-line/command.js';
import { booleanFlag } from '../command-line/parse-flags.js';
import { waitForExit } from '../command-line/wait-for-exit.js';
import { create } from '../operations/create.js';
import { deleteContainer } from '../operations/delete.js';
import { killContainer, signalNumber } from '../operations/kill.js';
import { pauseContainer } from '../operations/pause.js';
import { startContainer, startLocked } from '../operations/start.js';
import { CREATE_FLAGS, createOptions } from './create-flags.js';

/** The commands that create, start, stop and delete containers. */
export const LIFECYCLE_COMMANDS = {
  create: {
    summary: 'Create a container from a bundle',
    usage: 'CONTAINER',
    flags: CREATE_FLAGS,
    arguments: [1, 1],
    async run(context, values, args) {
      await create(createOptions(context, values, args, { stay: false }));
      return 0;
    },
  },
  start: commandOnContainer('Start the process of a created container', ({ root, log }, id) => startContainer(root, id, log)),
  run: {
    summary: 'Create and run a container',
    usage: 'CONTAINER',
    flags: {
      ...CREATE_FLAGS,
      detach: { type: 'boolean', short: 'd', about: "Detach from the container's process" },
      keep: { type: 'boolean', about: 'Do not delete the container after it exits' },
      'no-subreaper': { type: 'boolean', about: 'Ignored: no subreaper is used' },
    },
    arguments: [1, 1],
    async run(context, values, args) {
      const detach = booleanFlag(values, 'detach');
      const { root, log } = context;
      const [id = ''] = args;
      const created = await create(createOptions(context, values, args, { stay: !detach }));
      try {
        await (detach ? startContainer(root, id, log) : startLocked(root, id, log));
      } catch (error) {
        await created.lock?.[Symbol.asyncDispose]();
        await deleteContainer(root, id, true, log);
        throw error;
      }
      await created.lock?.[Symbol.asyncDispose]();
      if (detach) return 0;
      const status = await waitForExit(created.running);
      if (!booleanFlag(values, 'keep')) await deleteContainer(root, id, true, log);
      return status;
    },
  },
  kill: {
    summary: "Send a signal to a container's process (default: SIGTERM)",
    usage: 'CONTAINER [SIGNAL]',
    flags: { all: { type: 'boolean', short: 'a', about: 'Send the signal to all processes of the container' } },
    arguments: [1, 2],
    run({ root }, values, [id = '', signal = 'TERM']) {
      killContainer(root, id, signalNumber(signal), booleanFlag(values, 'all'));
      return 0;
    },
  },
  delete: {
    summary: 'Delete a container and its resources',
    usage: 'CONTAINER',
    flags: { force: { type: 'boolean', short: 'f', about: 'Kill the container if it is running; ignore a missing container' } },
    arguments: [1, 1],
    async run({ root, log }, values, [id = '']) {
      await deleteContainer(root, id, booleanFlag(values, 'force'), log);
      return 0;
    },
  },
  pause: commandOnContainer('Pause all processes of a container', ({ root }, id) => pauseContainer(root, id, true)),
  resume: commandOnContainer('Resume all processes of a paused container', ({ root }, id) => pauseContainer(root, id, false)),
} as const satisfies Readonly<Record<string, Command>>;
