import type { Command } from '../command-line/command.js';
import { preservedDescriptors } from '../command-line/open-descriptors.js';
import { booleanFlag, listFlag, textFlag } from '../command-line/parse-flags.js';
import { waitForExit } from '../command-line/wait-for-exit.js';
import { execInContainer } from '../operations/exec.js';
import { consoleOf, PROCESS_FLAGS } from './create-flags.js';
import { execProcess } from './exec-process.js';

export const EXEC_COMMAND: Command = {
  summary: 'Run a process in a running container',
  usage: 'CONTAINER COMMAND [ARG…]',
  flags: {
    process: { type: 'string', short: 'p', value: 'FILE', about: 'Path to a process.json' },
    tty: { type: 'boolean', short: 't', about: 'Allocate a pseudo-TTY' },
    user: { type: 'string', short: 'u', value: 'UID[:GID]', about: 'User ID, and group ID, of the process' },
    cwd: { type: 'string', value: 'DIR', about: 'Working directory inside the container' },
    env: { type: 'string', short: 'e', multiple: true, value: 'NAME=VALUE', about: 'Set an environment variable' },
    cap: { type: 'string', short: 'c', multiple: true, value: 'CAP_NAME', about: 'Add a capability' },
    'additional-gids': { type: 'string', short: 'g', multiple: true, value: 'GID', about: 'Add a supplementary group ID' },
    'no-new-privs': { type: 'boolean', about: 'Set no_new_privs for the process' },
    apparmor: { type: 'string', value: 'PROFILE', about: 'AppArmor profile of the process' },
    'process-label': { type: 'string', value: 'LABEL', about: 'SELinux label of the process' },
    ...PROCESS_FLAGS,
    detach: { type: 'boolean', short: 'd', about: 'Detach from the process' },
    cgroup: { type: 'string', multiple: true, value: '[CONTROLLERS:]PATH', about: "Run the process in a cgroup below the container's" },
    'ignore-paused': { type: 'boolean', about: 'Allow exec in a paused container' },
  },
  arguments: [1, Number.POSITIVE_INFINITY],
  passesOn: true,
  failure: 255,
  async run({ root, log }, values, [id = '', ...command]) {
    const detach = booleanFlag(values, 'detach');
    const { running } = await execInContainer({
      root,
      id,
      processOf: execProcess(values, command),
      console: consoleOf(values, !detach),
      pidFile: textFlag(values, 'pid-file'),
      preserved: preservedDescriptors(values),
      ignorePaused: booleanFlag(values, 'ignore-paused'),
      cgroups: listFlag(values, 'cgroup'),
      detach,
      log,
    });
    return detach ? 0 : waitForExit(running);
  },
};
