import type { Command } from '@oclif/core/command';
import type { FlagTable } from '../command-line/flag-table.js';
import { asksForHelp, LEADING_FLAG_COMMANDS } from '../command-line/parse-flags.js';
import { Apply } from '../commands/apply.js';
import { Attach } from '../commands/attach.js';
import { Changes } from '../commands/changes.js';
import { Checkpoint } from '../commands/checkpoint.js';
import { Cp } from '../commands/cp.js';
import { Create } from '../commands/create.js';
import { Events } from '../commands/events.js';
import { Fork } from '../commands/fork.js';
import { History } from '../commands/history.js';
import { Images } from '../commands/images.js';
import { Inspect } from '../commands/inspect.js';
import { Kill } from '../commands/kill.js';
import { Logs } from '../commands/logs.js';
import { Pause } from '../commands/pause.js';
import { Ps } from '../commands/ps.js';
import { Rename } from '../commands/rename.js';
import { Restart } from '../commands/restart.js';
import { Review } from '../commands/review.js';
import { Rm } from '../commands/rm.js';
import { Rollback } from '../commands/rollback.js';
import { Start } from '../commands/start.js';
import { Stats } from '../commands/stats.js';
import { Stop } from '../commands/stop.js';
import { Top } from '../commands/top.js';
import { Try } from '../commands/try.js';
import { Unpause } from '../commands/unpause.js';
import { Wait } from '../commands/wait.js';
import { catchUncaught } from '../entry/catch-uncaught.js';
import { reportCommandFailure } from '../entry/report-command-failure.js';

export { restoreArguments } from '@lamella/syscall/restore-arguments';

/** Frequent commands on containers, without the rest of oclif. */
export const COMMANDS: Readonly<Record<string, new (argv: string[], config: never) => Command>> = {
  apply: Apply,
  attach: Attach,
  changes: Changes,
  checkpoint: Checkpoint,
  cp: Cp,
  diff: Changes,
  discard: Rm,
  create: Create,
  events: Events,
  fork: Fork,
  history: History,
  images: Images,
  inspect: Inspect,
  kill: Kill,
  logs: Logs,
  pause: Pause,
  ps: Ps,
  rename: Rename,
  restart: Restart,
  review: Review,
  rm: Rm,
  rollback: Rollback,
  start: Start,
  stats: Stats,
  stop: Stop,
  top: Top,
  try: Try,
  unpause: Unpause,
  wait: Wait,
};

/** The part of oclif's config that a command needs to run. */
const CONFIG = {
  bin: 'lamella',
  userAgent: 'lamella',
  runHook: async () => ({ successes: [], failures: [] }),
  scopedEnvVarKey: (name: string) => `LAMELLA_${name}`,
  scopedEnvVarKeys: (name: string) => [`LAMELLA_${name}`],
};

/** Whether the command line asks for help. oclif prints it. */
export function wantsHelp(command: string, argv: readonly string[]): boolean {
  const { baseFlags, flags } = COMMANDS[command] as unknown as { readonly baseFlags?: FlagTable; readonly flags?: FlagTable };
  return asksForHelp(argv, { ...baseFlags, ...flags }, { command, leading: LEADING_FLAG_COMMANDS.includes(command) });
}

export async function main(name: string, argv: readonly string[]): Promise<void> {
  catchUncaught(argv);
  const Found = COMMANDS[name];
  if (!Found) throw new TypeError(`${name} is not in this bundle`);
  Object.assign(Found, { id: name });
  const command = new Found([...argv], CONFIG as never) as unknown as { _run(): Promise<unknown> };
  try {
    await command._run();
  } catch (error) {
    reportCommandFailure(error, name, argv);
  }
}
