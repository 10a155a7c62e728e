import { AutocompleteFish } from './commands/autocomplete-fish.js';
import { Doctor } from './commands/doctor.js';
import { ImageHistory } from './commands/image-history.js';
import { ImageInspect } from './commands/image-inspect.js';
import { ImagePrune } from './commands/image-prune.js';
import { Images } from './commands/images.js';
import { Import } from './commands/import.js';
import { Load } from './commands/load.js';
import { Login } from './commands/login.js';
import { Logout } from './commands/logout.js';
import { Pull } from './commands/pull.js';
import { Push } from './commands/push.js';
import { Rmi } from './commands/rmi.js';
import { Run } from './commands/run.js';
import { Save } from './commands/save.js';
import { Sweep } from './commands/sweep.js';
import { SystemCheck } from './commands/system-check.js';
import { SystemDf } from './commands/system-df.js';
import { Tag } from './commands/tag.js';

/** Every command, by its name (oclif's explicit strategy). */
export const COMMANDS = {
  run: Run,
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
  'autocomplete:fish': AutocompleteFish,
};
