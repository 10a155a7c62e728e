import { RESOURCES } from '@lamella/cgroup';
import { processOptionsShape, type Rlimit, type TmpfsMount } from '@lamella/namespace';
import type { SeccompProfile } from '@lamella/seccomp';
import { type OptionReader, optionReader, shapeOf, take } from '@lamella/syscall';
import type { Device } from '../model/device.js';
import { EngineError } from '../model/engine-error.js';
import type { HostView } from '../model/host-view.js';
import type { PublishedPort } from '../model/published-port.js';
import type { RunOptions } from '../model/run-options.js';
import type { RunSpec } from '../model/run-spec.js';
import type { SweepOptions } from '../model/sweep-options.js';
import type { UserNamespace } from '../model/user-namespace.js';
import type { Volume } from '../model/volume.js';
import { signalNumber } from './signal-number.js';

/** Reads what public functions of this package are given. */
export const read: OptionReader = optionReader(EngineError);

/** Values of variables; names are any that the kernel takes. */
export const ENVIRONMENT: take.Check<Readonly<Record<string, string>>> = environment(take.text);
/** The same, where a variable without a value is one that is left out. */
export const CHANGED_ENVIRONMENT: take.Check<Readonly<Record<string, string | undefined>>> = environment(take.maybe(take.text));

function environment<T>(value: take.Check<T>): take.Check<Readonly<Record<string, T>>> {
  const record = take.recordOf(value);
  return Object.assign(
    (given: unknown, at: string): Readonly<Record<string, T>> => {
      const found = record(given, at);
      const wrong = Object.keys(found).find((name) => name.slice(1).includes('=') || name.includes('\0'));
      if (wrong !== undefined)
        throw new take.OptionFault('invalid', `${at} has a variable called ${take.shown(wrong)}`, 'The name of a variable has no = and no null character.');
      return found;
    },
    { takes: record.takes },
  );
}

const number = take.checkOf<number>('a number', (value) => typeof value === 'number');
const id = take.whole(0, 2 ** 32 - 2);

const matching = (takes: string, pattern: RegExp): take.Check<string> => take.checkOf(takes, (value) => typeof value === 'string' && pattern.test(value));
/** As tmpfs(5) has it; the kernel would refuse another when the container starts. */
const SIZE = matching("a number of bytes, with k, m, g, t, p or e, or with %: '64m'", /^\d+[kmgtpe%]?$/i);
const INODES = matching("a number, or one with k, m, g, t, p or e: '100k'", /^\d+[kmgtpe]?$/i);
const MODE = matching("permission bits as octal text: '1777'", /^0*[0-7]{1,4}$/);
/** Any signal but 0, which would never end anything. */
const STOP_SIGNAL = take.checkOf<string>("the name or the number of a signal: 'SIGTERM', 'TERM' or '15'", (value) => {
  try {
    return typeof value === 'string' && signalNumber(value) !== 0;
  } catch {
    return false;
  }
});

const VOLUME = take.objectOf<Volume>({
  source: take.required(take.text),
  destination: take.required(take.text),
  readonly: take.flag,
  overlay: take.flag,
  idmap: take.flag,
  propagation: take.oneOf('slave'),
  recursive: take.flag,
});
const TMPFS = take.objectOf<Omit<TmpfsMount, 'type'>>({
  destination: take.required(take.text),
  size: SIZE,
  mode: MODE,
  uid: id,
  gid: id,
  nrInodes: INODES,
  readonly: take.flag,
  exec: take.flag,
  suid: take.flag,
  dev: take.flag,
});
const PORT = take.whole(1, 65_535);
const PUBLISHED = take.objectOf<PublishedPort>({
  address: take.word,
  hostPort: take.required(PORT),
  containerPort: take.required(PORT),
  protocol: take.required(take.oneOf('tcp', 'udp')),
});
const USERNS: take.Check<UserNamespace> = take.either(
  take.oneOf('host', 'keep-id'),
  Object.assign(
    (value: unknown, at: string): Exclude<UserNamespace, string> => {
      const [auto, range] = [
        take.objectOf<{ readonly mode: 'auto'; readonly size?: number }>({ mode: take.required(take.oneOf('auto')), size: number }),
        take.objectOf<{ readonly mode: 'range'; readonly uid: number; readonly gid: number; readonly size: number }>({
          mode: take.required(take.oneOf('range')),
          uid: take.required(number),
          gid: take.required(number),
          size: take.required(number),
        }),
      ];
      return (value as { mode?: unknown } | null)?.mode === 'range' ? range(value, at) : auto(value, at);
    },
    { takes: "{ mode: 'auto' } or { mode: 'range', uid, gid, size }" },
  ),
);
export const TERMINAL: take.Check<NonNullable<RunSpec['terminal']>> = take.objectOf<NonNullable<RunSpec['terminal']>>({
  rows: take.required(take.whole(0, 65_535)),
  columns: take.required(take.whole(0, 65_535)),
});
export const TYPED: take.Check<NonNullable<RunSpec['input']>> = take.objectOf<NonNullable<RunSpec['input']>>({
  forward: take.required(take.flag),
  raw: take.required(take.flag),
  later: take.flag,
  ended: take.flag,
});
export const NETWORK: take.Check<'none' | 'host' | 'pasta'> = take.oneOf('none', 'host', 'pasta');
export const WORDS: take.Check<readonly string[]> = take.listOf(take.text);
export const UMASK: take.Check<number> = take.whole(0, 0o777);
/** A profile is checked by @lamella/seccomp. */
const PROFILE = take.checkOf<SeccompProfile>('a profile', (value) => typeof value === 'object' && value !== null && !Array.isArray(value));
const HOST_VIEW = take.checkOf<HostView>(
  'a view of the host, which Containers.try() makes',
  (value) => typeof value === 'object' && value !== null && Array.isArray((value as HostView).overlays) && Array.isArray((value as HostView).binds),
);

export const SWEEP_OPTIONS: take.Check<SweepOptions> = shapeOf<SweepOptions>(() => ({ kept: take.flag }));
export const CHECK_OPTIONS: take.Check<{ readonly repair?: boolean }> = shapeOf<{ readonly repair?: boolean }>(() => ({ repair: take.flag }));

/** The shape of {@link RunSpec}, to be extended by similar specs. */
export const runSpecShape = (): take.Shape<RunSpec> => ({
  image: take.required(take.text),
  pull: take.oneOf('always', 'missing', 'never'),
  tlsVerify: take.flag,
  platform: take.text,
  host: HOST_VIEW,
  args: WORDS,
  entrypoint: WORDS,
  root: take.absolutePath,
  workspace: take.absolutePath,
  env: ENVIRONMENT,
  user: take.text,
  cwd: take.text,
  volumes: take.listOf(VOLUME),
  anonymousVolumes: take.listOf(take.absolutePath),
  tmpfs: take.listOf(TMPFS),
  readonlyRoot: take.flag,
  hostname: take.text,
  name: take.text,
  labels: take.recordOf(take.text),
  init: take.flag,
  job: take.flag,
  userns: USERNS,
  network: NETWORK,
  publish: take.listOf(PUBLISHED),
  keep: take.flag,
  removeAtEnd: take.flag,
  stopSignal: STOP_SIGNAL,
  stopTimeout: take.whole(-1, 2_147_483),
  restart: take.objectOf<NonNullable<RunSpec['restart']>>({
    policy: take.required(take.oneOf('no', 'on-failure', 'always', 'unless-stopped')),
    limit: take.whole(0, 2 ** 31 - 1),
  }),
  logs: take.objectOf<NonNullable<RunSpec['logs']>>({ maxSize: take.whole(0), maxFiles: take.whole(1, 9) }),
  detachKeys: take.text as take.Check<string>,
  umask: UMASK,
  rlimits: take.listOf(take.objectOf<Rlimit>({ name: take.required(take.text), soft: take.required(take.whole(-1)), hard: take.required(take.whole(-1)) })),
  capAdd: take.listOf(take.text) as unknown as take.Check<NonNullable<RunSpec['capAdd']>>,
  capDrop: take.listOf(take.text) as unknown as take.Check<NonNullable<RunSpec['capDrop']>>,
  noNewPrivileges: take.flag,
  seccomp: take.either(take.oneOf('unconfined'), PROFILE),
  privileged: take.flag,
  hidepid: take.oneOf(0, 1, 2),
  devices: take.listOf(take.objectOf<Device>({ source: take.required(take.text), destination: take.text })),
  shmSize: SIZE,
  resources: RESOURCES,
  oomScoreAdj: number,
  terminal: TERMINAL,
  input: TYPED,
});
export const RUN_SPEC: take.Check<RunSpec> = shapeOf(runSpecShape);

/** The shape of {@link RunOptions}, to be extended by similar options. */
export const runOptionsShape = (): take.Shape<RunOptions> => ({
  ...processOptionsShape,
  onProgress: take.functionOf(),
  onNote: take.functionOf(),
  onPull: take.functionOf(),
});
const runOptions = shapeOf(runOptionsShape);

/** Reads the options of a run, whatever more precise type they have. */
export function readRunOptions<O extends RunOptions>(name: string, given: O): O {
  return read(name, given, runOptions as unknown as take.Check<O>);
}

/**
 * What is the default in a program, as in {@link Containers.try}: with an init as process 1 its command can be ended by any signal, dies of those that it
 * does not handle, SIGPIPE among them, and the result says of which.
 */
export function withInit(spec: RunSpec): RunSpec {
  if (spec.init !== undefined) return spec;
  return { ...spec, init: true, ...(spec.terminal || spec.job !== undefined ? {} : { job: true }) };
}
