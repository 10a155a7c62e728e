import { type OptionReader, optionReader, shapeOf, take } from '@lamella/syscall';
import { OciError } from '../errors/oci-error.js';
import type { Console } from '../model/console.js';
import type { CreateOptions } from '../model/create-options.js';
import type { ExecOptions } from '../model/exec-options.js';
import type { Log } from '../model/log.js';
import type { LogOptions } from '../model/log-options.js';
import type { PreservedDescriptors } from '../model/preserved-descriptors.js';

/** Checks the options of the public functions. */
export const readOptions: OptionReader = optionReader(OciError);

const LOG = take.checkOf<Log>('a log of makeLog()', (value) => typeof value === 'object' && value !== null && typeof (value as Log).error === 'function');
const CONSOLE: take.Check<NonNullable<Console>> = take.either(
  take.objectOf<{ readonly socket: string }>({ socket: take.required(take.word) }),
  take.objectOf<{ readonly monitor: number }>({ monitor: take.required(take.whole(0)) }),
);
const PRESERVED = take.objectOf<PreservedDescriptors>({ count: take.required(take.whole(0)), listening: take.required(take.whole(0)) });

export const LOG_OPTIONS: take.Check<LogOptions> = shapeOf<LogOptions>(() => ({
  file: take.text,
  format: take.required(take.oneOf('text', 'json')),
  debug: take.required(take.flag),
}));
export const CREATE_OPTIONS: take.Check<CreateOptions> = shapeOf<CreateOptions>(() => ({
  root: take.required(take.absolutePath),
  id: take.required(take.text),
  bundle: take.required(take.text),
  console: CONSOLE,
  pidFile: take.text,
  preserved: PRESERVED,
  noPivot: take.flag,
  noNewKeyring: take.flag,
  stay: take.flag,
  systemdCgroup: take.flag,
  log: take.required(LOG),
}));
export const EXEC_OPTIONS: take.Check<ExecOptions> = shapeOf<ExecOptions>(() => ({
  root: take.required(take.absolutePath),
  id: take.required(take.text),
  processOf: take.required(take.functionOf<ExecOptions['processOf']>()),
  console: CONSOLE,
  pidFile: take.text,
  preserved: take.required(PRESERVED),
  ignorePaused: take.required(take.flag),
  cgroups: take.required(take.listOf(take.text)),
  detach: take.required(take.flag),
  log: take.required(LOG),
}));
