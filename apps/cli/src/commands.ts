import { Apply } from './commands/apply.js';
import { Attach } from './commands/attach.js';
import { Autocomplete } from './commands/autocomplete.js';
import { AutocompleteBash } from './commands/autocomplete-bash.js';
import { AutocompleteFish } from './commands/autocomplete-fish.js';
import { Changes } from './commands/changes.js';
import { Checkpoint } from './commands/checkpoint.js';
import { Commit } from './commands/commit.js';
import { ContainerPrune } from './commands/container-prune.js';
import { Cp } from './commands/cp.js';
import { Create } from './commands/create.js';
import { Doctor } from './commands/doctor.js';
import { Events } from './commands/events.js';
import { Exec } from './commands/exec.js';
import { Export } from './commands/export.js';
import { Fork } from './commands/fork.js';
import { History } from './commands/history.js';
import { ImageHistory } from './commands/image-history.js';
import { ImageInspect } from './commands/image-inspect.js';
import { ImagePrune } from './commands/image-prune.js';
import { Images } from './commands/images.js';
import { Import } from './commands/import.js';
import { Inspect } from './commands/inspect.js';
import { Kill } from './commands/kill.js';
import { Load } from './commands/load.js';
import { Login } from './commands/login.js';
import { Logout } from './commands/logout.js';
import { Logs } from './commands/logs.js';
import { Pause } from './commands/pause.js';
import { Plugins } from './commands/plugins.js';
import { PluginsInstall } from './commands/plugins-install.js';
import { PluginsLink } from './commands/plugins-link.js';
import { PluginsUninstall } from './commands/plugins-uninstall.js';
import { PluginsUpdate } from './commands/plugins-update.js';
import { Port } from './commands/port.js';
import { Ps } from './commands/ps.js';
import { Pull } from './commands/pull.js';
import { Push } from './commands/push.js';
import { Rename } from './commands/rename.js';
import { Restart } from './commands/restart.js';
import { Review } from './commands/review.js';
import { Rm } from './commands/rm.js';
import { Rmi } from './commands/rmi.js';
import { Rollback } from './commands/rollback.js';
import { Run } from './commands/run.js';
import { Save } from './commands/save.js';
import { Start } from './commands/start.js';
import { Stats } from './commands/stats.js';
import { Stop } from './commands/stop.js';
import { Sweep } from './commands/sweep.js';
import { SystemCheck } from './commands/system-check.js';
import { SystemDf } from './commands/system-df.js';
import { Tag } from './commands/tag.js';
import { Top } from './commands/top.js';
import { Try } from './commands/try.js';
import { Unpause } from './commands/unpause.js';
import { Wait } from './commands/wait.js';

/** Every command by its name (oclif's explicit strategy). */
export const COMMANDS = {
  run: Run,
  try: Try,
  create: Create,
  start: Start,
  ps: Ps,
  logs: Logs,
  exec: Exec,
  attach: Attach,
  stop: Stop,
  restart: Restart,
  kill: Kill,
  pause: Pause,
  unpause: Unpause,
  wait: Wait,
  rename: Rename,
  rm: Rm,
  'container:prune': ContainerPrune,
  inspect: Inspect,
  cp: Cp,
  changes: Changes,
  review: Review,
  apply: Apply,
  commit: Commit,
  export: Export,
  checkpoint: Checkpoint,
  rollback: Rollback,
  fork: Fork,
  history: History,
  top: Top,
  stats: Stats,
  port: Port,
  events: Events,
  pull: Pull,
  push: Push,
  import: Import,
  load: Load,
  save: Save,
  images: Images,
  'image:inspect': ImageInspect,
  'image:history': ImageHistory,
  'image:prune': ImagePrune,
  tag: Tag,
  rmi: Rmi,
  login: Login,
  logout: Logout,
  sweep: Sweep,
  'system:df': SystemDf,
  'system:check': SystemCheck,
  doctor: Doctor,
  plugins: Plugins,
  'plugins:install': PluginsInstall,
  'plugins:link': PluginsLink,
  'plugins:uninstall': PluginsUninstall,
  'plugins:update': PluginsUpdate,
  autocomplete: Autocomplete,
  'autocomplete:bash': AutocompleteBash,
  'autocomplete:fish': AutocompleteFish,
};
