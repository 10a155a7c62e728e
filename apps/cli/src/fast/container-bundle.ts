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
import { Unpause } from '../commands/unpause.js';
import { Wait } from '../commands/wait.js';
import { type Bundle, bundleOf, type CommandClasses } from './command-bundle.js';

export { restoreArguments } from '@lamella/syscall/restore-arguments';

/** Frequent commands on containers, without the rest of oclif. */
export const COMMANDS: CommandClasses = {
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
  unpause: Unpause,
  wait: Wait,
};

export const { wantsHelp, main }: Bundle = bundleOf(COMMANDS);
