import { CAPABILITIES, type ObjectIdentity, type OptionReader, optionReader, type Program, shapeOf, take } from '@lamella/syscall';
import type { CapabilityName } from '../identity/capabilities.js';
import type { User } from '../identity/user.js';
import type { Mount } from '../mounts/mount.js';
import type { JoinSpec } from './join-spec.js';
import { NamespaceError } from './namespace-error.js';
import type { Identity, Namespaces, ProcessSpec, Rlimit } from './process-spec.js';

/** Reads what public functions of this package are given. */
export const read: OptionReader = optionReader(NamespaceError);

const PROGRAM = take.checkOf<Program>('a list of ops', (value) => Array.isArray(value));
const SLOT = take.whole(0, 2 ** 31 - 1);
const ID = take.whole(0, 2 ** 32 - 1);
const CAPABILITY = take.oneOf(...CAPABILITIES) as take.Check<CapabilityName>;
const NAMESPACES = take.objectOf<Namespaces>({
  user: take.flag,
  within: take.either(take.flag, take.oneOf('single')),
  shifted: take.flag,
  sameId: take.flag,
  pid: take.flag,
  uts: take.flag,
  ipc: take.flag,
  net: take.flag,
  cgroup: take.flag,
  time: take.flag,
});

type Of<T extends Mount['type']> = Omit<Extract<Mount, { readonly type: T }>, 'type' | 'destination'>;
const text = take.text;
const identity = take.checkOf<ObjectIdentity>('the identity of an object', (value) => typeof value === 'object' && value !== null);
/** What other packages make has more than is needed here. */
function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

/** What each kind of mount has beside its type and destination. */
const MOUNTS: { readonly [T in Mount['type']]: take.Shape<Of<T>> } = {
  mqueue: {},
  proc: { hidepid: take.oneOf(0, 1, 2) },
  sysfs: { writable: take.flag },
  dev: { devices: take.checkOf('a list of devices', (value) => Array.isArray(value)) },
  cgroup2: {},
  own: {},
  devpts: {},
  made: { program: take.required(PROGRAM), mount: take.required(SLOT), optional: take.flag },
  tmpfs: { size: text, mode: text, uid: ID, gid: ID, nrInodes: text, readonly: take.flag, exec: take.flag, suid: take.flag, dev: take.flag },
  bind: {
    source: take.required(text),
    directory: take.required(take.flag),
    readonly: take.flag,
    dev: take.flag,
    recursive: take.flag,
    propagation: take.oneOf('slave'),
    idmap: SLOT,
    optional: take.flag,
    expected: identity,
  },
  file: {
    content: take.required(take.checkOf('a string or a Uint8Array', (value) => typeof value === 'string' || value instanceof Uint8Array)),
    optional: take.flag,
  },
};
const MOUNT: take.Check<Mount> = Object.assign(
  (value: unknown, at: string): Mount => {
    const type = take.oneOf(...(Object.keys(MOUNTS) as Mount['type'][]))((value as { type?: unknown } | null | undefined)?.type, `${at}.type`);
    const shape = { type: take.required(text), destination: take.required(text), ...MOUNTS[type] };
    return take.objectOf(shape as never)(value, at) as Mount;
  },
  { takes: 'a mount' },
);

const rlimit = take.objectOf<Rlimit>({ name: take.required(text), soft: take.required(take.whole(-1)), hard: take.required(take.whole(-1)) });
/** Or what {@link findUser} found. */
const identityOf = take.objectOf<Identity & Partial<Pick<User, 'home'>>>({
  uid: take.required(ID),
  gid: take.required(ID),
  groups: take.listOf(ID),
  home: text,
}) as unknown as take.Check<Identity>;
const common = {
  args: take.required(take.listOf(text)),
  env: take.recordOf(text),
  cwd: text,
  user: identityOf,
  umask: take.whole(0, 0o777),
  rlimits: take.listOf(rlimit),
  capabilities: take.listOf(CAPABILITY),
  ambient: take.listOf(CAPABILITY),
  seccomp: take.checkOf<NonNullable<ProcessSpec['seccomp']>>(
    'a filter, such as compileProfile of @lamella/seccomp makes: { filter: Uint8Array, flags: number }',
    (value) => isObject(value) && value.filter instanceof Uint8Array && Number.isSafeInteger(value.flags),
  ),
  noNewPrivileges: take.flag,
  terminal: take.objectOf<NonNullable<ProcessSpec['terminal']>>({ rows: take.required(take.whole(0, 65_535)), columns: take.required(take.whole(0, 65_535)) }),
  input: take.objectOf<NonNullable<ProcessSpec['input']>>({
    forward: take.required(take.flag),
    raw: take.required(take.flag),
    later: take.flag,
    ended: take.flag,
  }),
  // Its bounds says OOM_SCORE_INVALID.
  oomScoreAdj: take.checkOf<number>('a number', (value) => typeof value === 'number'),
};

export const PROCESS_SPEC: take.Check<ProcessSpec> = shapeOf<ProcessSpec>(() => ({
  ...common,
  rootfs: take.required(text),
  mounted: take.flag,
  prepare: PROGRAM,
  userns: SLOT,
  netns: SLOT,
  namespaces: NAMESPACES,
  mounts: take.listOf(MOUNT),
  hostname: text,
  cgroup: take.checkOf<NonNullable<ProcessSpec['cgroup']>>(
    'a cgroup, such as planCgroup of @lamella/cgroup makes: { slot?: number, join: Program }',
    (value) => isObject(value) && Array.isArray(value.join) && (value.slot === undefined || Number.isSafeInteger(value.slot)),
  ),
  masks: take.flag,
  readonlyRoot: take.flag,
  init: take.flag,
  job: take.flag,
  hold: take.oneOf('go', 'rest'),
}));
export const JOIN_SPEC: take.Check<JoinSpec> = shapeOf<JoinSpec>(() => ({
  ...common,
  pid: take.required(take.whole(1, 2 ** 31 - 1)),
  namespaces: take.required(NAMESPACES),
  cgroups: take.objectOf<NonNullable<JoinSpec['cgroups']>>({
    version: take.required(take.oneOf(1, 2)),
    directories: take.required(take.listOf(take.absolutePath)),
  }),
}));
