import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cgroupStats, oomKills, processesOf } from '@lamella/cgroup';
import { MONITOR_INPUT, MONITOR_RAW, visible } from '@lamella/syscall';
import { OciError } from '../errors/oci-error.js';
import type { Console } from '../model/console.js';
import type { CreateOptions } from '../model/create-options.js';
import { create } from '../operations/create.js';
import { deleteContainer } from '../operations/delete.js';
import { execInContainer } from '../operations/exec.js';
import { features } from '../operations/features.js';
import { killContainer, signalNumber } from '../operations/kill.js';
import { listContainers } from '../operations/list.js';
import { pauseContainer } from '../operations/pause.js';
import { writeSpec } from '../operations/spec.js';
import { startContainer, startLocked } from '../operations/start.js';
import { updateContainer } from '../operations/update.js';
import { readStored, stateOf, statusOf } from '../state/stored-container.js';
import type { CommandContext } from './command-context.js';
import { execProcess } from './exec-process.js';
import { preservedDescriptors } from './open-descriptors.js';
import { booleanFlag, type Flags, listFlag, textFlag, usageError, type Values } from './parse-flags.js';
import { print, printJson } from './print.js';
import { rdtSchemas, resourceLimits, UPDATE_FLAGS } from './update-flags.js';
import { waitForExit } from './wait-for-exit.js';

/** A command: what it takes, and what it does. */
interface Command {
  readonly about: string;
  readonly usage: string;
  readonly flags: Flags;
  /** How many words there are beside the flags: at least, and at most. */
  readonly arguments: readonly [least: number, most: number];
  /** What follows the first word belongs to a command of the container's. */
  readonly passesOn?: boolean;
  /** The exit status when it fails, where that is not 1. */
  readonly failure?: number;
  readonly run: (context: CommandContext, values: Values, args: readonly string[]) => Promise<number | undefined> | number | undefined;
}

const CREATE_FLAGS: Flags = {
  bundle: { type: 'string', short: 'b', value: 'DIR', about: 'the directory with config.json (default: this one)' },
  'console-socket': { type: 'string', value: 'FILE', about: "a unix socket that is handed the terminal's master" },
  'pid-file': { type: 'string', value: 'FILE', about: "where the process's id is written" },
  'preserve-fds': { type: 'string', value: 'N', about: 'pass N descriptors on, from 3 on' },
  'no-pivot': { type: 'boolean', about: 'move the root instead of pivoting it: for a host whose root is in memory' },
  'no-new-keyring': { type: 'boolean', about: "stay in the caller's session keyring" },
};
const ID = 'ID';

function createOptions({ root, log, systemdCgroup }: CommandContext, values: Values, [id = '']: readonly string[], stay: boolean): CreateOptions {
  const socket = textFlag(values, 'console-socket');
  return {
    root,
    id,
    bundle: path.resolve(textFlag(values, 'bundle') ?? '.'),
    console: socket === undefined ? (stay ? ownTerminal() : undefined) : { socket: path.resolve(socket) },
    pidFile: textFlag(values, 'pid-file'),
    preserved: preservedDescriptors(values),
    noPivot: booleanFlag(values, 'no-pivot'),
    noNewKeyring: booleanFlag(values, 'no-new-keyring'),
    stay,
    systemdCgroup,
    log,
  };
}

/** This command's own terminal, typed into the container's. */
function ownTerminal(): Console {
  return { monitor: MONITOR_INPUT + (process.stdin.isTTY ? MONITOR_RAW : 0) };
}

/** `100ms`, `5s`, `1m30s`, or a bare number of seconds. @throws OciError `USAGE` */
function duration(given: string): number {
  const units: Readonly<Record<string, number>> = { ms: 0.001, s: 1, m: 60, h: 3600 };
  const seconds = /^\d+(?:\.\d+)?$/.test(given)
    ? Number(given)
    : [...given.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)].reduce((sum, [, number, unit = 's']) => sum + Number(number) * (units[unit] ?? 1), 0);
  if (!(seconds > 0)) throw usageError(`--interval takes a time such as 5s or 100ms, not '${given}'`);
  return seconds;
}

function json(value: unknown): number {
  return printJson(value, 2);
}

/** What only takes a container's id. */
function ofOne(about: string, act: (context: CommandContext, id: string) => Promise<void>): Command {
  return {
    about,
    usage: ID,
    flags: {},
    arguments: [1, 1],
    async run(context, _values, [id = '']) {
      await act(context, id);
      return 0;
    },
  };
}

const NO_CHECKPOINTS: Command = {
  about: 'Not supported: needs CRIU.',
  usage: ID,
  flags: {},
  arguments: [0, Number.POSITIVE_INFINITY],
  passesOn: true,
  run() {
    throw new OciError({ code: 'CHECKPOINT_UNSUPPORTED', message: 'checkpoint and restore are not supported', hint: 'This runtime does not drive CRIU.' });
  },
};

export const COMMANDS: Readonly<Record<string, Command>> = {
  create: {
    about: 'Create a container from a bundle; its process waits to be started.',
    usage: ID,
    flags: CREATE_FLAGS,
    arguments: [1, 1],
    async run(context, values, args) {
      await create(createOptions(context, values, args, false));
      return 0;
    },
  },
  start: ofOne('Start the process of a created container.', ({ root, log }, id) => startContainer(root, id, log)),
  state: {
    about: 'Show the state of a container as JSON.',
    usage: ID,
    flags: {},
    arguments: [1, 1],
    run({ root }, _values, [id = '']) {
      const found = readStored(root, id);
      return json(stateOf(found.stored, statusOf(found)));
    },
  },
  kill: {
    about: "Send a signal to the container's process (default TERM).",
    usage: 'ID [SIGNAL]',
    flags: { all: { type: 'boolean', short: 'a', about: 'to every process in its cgroup' } },
    arguments: [1, 2],
    run({ root }, values, [id = '', signal = 'TERM']) {
      killContainer(root, id, signalNumber(signal), booleanFlag(values, 'all'));
      return 0;
    },
  },
  delete: {
    about: 'Delete a stopped container, and all that was made for it.',
    usage: ID,
    flags: { force: { type: 'boolean', short: 'f', about: 'kill it first if it runs; no error if there is none' } },
    arguments: [1, 1],
    async run({ root, log }, values, [id = '']) {
      await deleteContainer(root, id, booleanFlag(values, 'force'), log);
      return 0;
    },
  },
  run: {
    about: 'Create and start a container, wait for its end, and delete it.',
    usage: ID,
    flags: {
      ...CREATE_FLAGS,
      detach: { type: 'boolean', short: 'd', about: 'do not wait; it has to be deleted later' },
      keep: { type: 'boolean', about: 'do not delete it at its end' },
      'no-subreaper': { type: 'boolean', about: 'accepted; none is needed' },
    },
    arguments: [1, 1],
    async run(context, values, args) {
      const detach = booleanFlag(values, 'detach');
      const { root, log } = context;
      const [id = ''] = args;
      const created = await create(createOptions(context, values, args, !detach));
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
  exec: {
    about: 'Run another process in a container.',
    usage: 'ID COMMAND [ARGUMENT…]',
    flags: {
      process: { type: 'string', short: 'p', value: 'FILE', about: 'the process as config.json has it' },
      tty: { type: 'boolean', short: 't', about: 'with a terminal' },
      user: { type: 'string', short: 'u', value: 'UID[:GID]', about: 'as whom' },
      cwd: { type: 'string', value: 'DIR', about: 'where' },
      env: { type: 'string', short: 'e', multiple: true, value: 'NAME=VALUE', about: 'more of the environment' },
      cap: { type: 'string', short: 'c', multiple: true, value: 'CAP_NAME', about: 'more capabilities' },
      'additional-gids': { type: 'string', short: 'g', multiple: true, value: 'GID', about: 'more groups' },
      'no-new-privs': { type: 'boolean', about: 'nothing executed gains privileges' },
      apparmor: { type: 'string', value: 'PROFILE', about: 'the AppArmor profile' },
      'process-label': { type: 'string', value: 'LABEL', about: "SELinux's label" },
      'console-socket': CREATE_FLAGS['console-socket'] as Flags[string],
      'pid-file': CREATE_FLAGS['pid-file'] as Flags[string],
      'preserve-fds': CREATE_FLAGS['preserve-fds'] as Flags[string],
      detach: { type: 'boolean', short: 'd', about: 'do not wait for its end' },
      cgroup: { type: 'string', multiple: true, value: '[CONTROLLERS:]PATH', about: "a cgroup below the container's" },
      'ignore-paused': { type: 'boolean', about: 'also in a paused container' },
    },
    arguments: [1, Number.POSITIVE_INFINITY],
    passesOn: true,
    failure: 255,
    async run({ root, log }, values, [id = '', ...command]) {
      const socket = textFlag(values, 'console-socket');
      const detach = booleanFlag(values, 'detach');
      const processOf = execProcess(values, command);
      const { running } = await execInContainer({
        root,
        id,
        processOf,
        console: socket === undefined ? (detach ? undefined : ownTerminal()) : { socket: path.resolve(socket) },
        pidFile: textFlag(values, 'pid-file'),
        preserved: preservedDescriptors(values),
        ignorePaused: booleanFlag(values, 'ignore-paused'),
        cgroups: listFlag(values, 'cgroup'),
        detach,
        log,
      });
      return detach ? 0 : waitForExit(running);
    },
  },
  list: {
    about: 'List the containers below the root.',
    usage: '',
    flags: {
      format: { type: 'string', short: 'f', value: 'table|json', about: 'how (default table)' },
      quiet: { type: 'boolean', short: 'q', about: 'their ids only' },
    },
    arguments: [0, 0],
    run({ root, log }, values) {
      const all = listContainers(root, log.warn);
      const format = textFlag(values, 'format') ?? 'table';
      if (format !== 'table' && format !== 'json') throw usageError(`invalid format option '${format}': it is table or json`);
      if (booleanFlag(values, 'quiet')) return print(all.map(({ id }) => `${id}\n`).join(''));
      if (format === 'json') return printJson(all);
      const rows = [
        ['ID', 'PID', 'STATUS', 'BUNDLE', 'CREATED', 'OWNER'],
        ...all.map(({ id, pid, status, bundle, created, owner }) => [id, pid, status, bundle, created, owner].map((cell) => visible(String(cell)))),
      ];
      const widths = [0, 1, 2, 3, 4, 5].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
      return print(
        rows
          .map(
            (row) =>
              `${row
                .map((cell, column) => cell.padEnd(widths[column] ?? 0))
                .join('  ')
                .trimEnd()}\n`,
          )
          .join(''),
      );
    },
  },
  ps: {
    about: "Show a container's processes.",
    usage: 'ID [ps options]',
    flags: { format: { type: 'string', short: 'f', value: 'table|json', about: 'how (default table)' } },
    arguments: [1, Number.POSITIVE_INFINITY],
    passesOn: true,
    run({ root }, values, [id = '', ...options]) {
      const { stored } = readStored(root, id);
      const pids = processesOf(stored.cgroup);
      const format = textFlag(values, 'format') ?? 'table';
      if (format === 'json') return printJson(pids);
      const lines = execFileSync('ps', options.length ? options : ['-ef'], { encoding: 'utf8' }).split('\n');
      const column = lines[0]?.trim().split(/\s+/).indexOf('PID') ?? -1;
      if (column < 0) throw usageError('ps options have to leave the column PID in');
      return print([lines[0], ...lines.slice(1).filter((line) => pids.includes(Number(line.trim().split(/\s+/)[column])))].map((line) => `${line}\n`).join(''));
    },
  },
  pause: ofOne('Stop all processes of a container for a while.', ({ root }, id) => pauseContainer(root, id, true)),
  resume: ofOne('Let the processes of a paused container go on.', ({ root }, id) => pauseContainer(root, id, false)),
  update: {
    about: "Change a container's limits.",
    usage: ID,
    flags: UPDATE_FLAGS,
    arguments: [1, 1],
    async run({ root }, values, [id = '']) {
      await updateContainer(root, id, resourceLimits(values), rdtSchemas(values));
      return 0;
    },
  },
  events: {
    about: 'Show what a container uses, and when its memory ran out, as lines of JSON.',
    usage: ID,
    flags: {
      stats: { type: 'boolean', about: 'what it uses now, once' },
      interval: { type: 'string', value: 'TIME', about: 'between two lines, such as 100ms (default 5s)' },
    },
    arguments: [1, 1],
    async run({ root }, values, [id = '']) {
      const found = readStored(root, id);
      if (statusOf(found) === 'stopped')
        throw new OciError({ code: 'CONTAINER_NOT_RUNNING', message: `container with id ${id} is not running`, hint: 'There is nothing to tell of it.' });
      const tell = (type: string, data?: unknown): number => printJson({ type, id, ...(data === undefined ? {} : { data }) });
      if (booleanFlag(values, 'stats')) return tell('stats', cgroupStats(found.stored.cgroup));
      const seconds = duration(textFlag(values, 'interval') ?? '5s');
      let kills = oomKills(found.stored.cgroup);
      while (statusOf(found) !== 'stopped') {
        tell('stats', cgroupStats(found.stored.cgroup));
        for (const until = Date.now() + seconds * 1000; Date.now() < until && statusOf(found) !== 'stopped'; ) {
          await sleep(Math.min(200, seconds * 1000));
          const now = oomKills(found.stored.cgroup);
          if (now > kills) tell('oom');
          kills = now;
        }
      }
      return 0;
    },
  },
  checkpoint: NO_CHECKPOINTS,
  restore: NO_CHECKPOINTS,
  features: {
    about: 'Show what this runtime can do, as JSON.',
    usage: '',
    flags: {},
    arguments: [0, 0],
    run({ version }) {
      return json(features(version));
    },
  },
  spec: {
    about: 'Write a config.json to begin with.',
    usage: '',
    flags: {
      bundle: { type: 'string', short: 'b', value: 'DIR', about: 'into which directory (default: this one)' },
      rootless: { type: 'boolean', about: 'one that an ordinary user may run' },
    },
    arguments: [0, 0],
    run(_context, values) {
      writeSpec(path.resolve(textFlag(values, 'bundle') ?? '.'), booleanFlag(values, 'rootless'));
      return 0;
    },
  },
};
