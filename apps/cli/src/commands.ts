import { AutocompleteFish } from './commands/autocomplete-fish.js';
import { Doctor } from './commands/doctor.js';
import { Images } from './commands/images.js';
import { Import } from './commands/import.js';
import { Rmi } from './commands/rmi.js';
import { Run } from './commands/run.js';
import { Sweep } from './commands/sweep.js';

/** Every command, by its name (oclif's explicit strategy). */
export const COMMANDS = { run: Run, import: Import, images: Images, rmi: Rmi, sweep: Sweep, doctor: Doctor, 'autocomplete:fish': AutocompleteFish };
