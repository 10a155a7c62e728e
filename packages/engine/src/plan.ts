import { createHash, randomUUID } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import path from 'node:path';
import { canLimitByDefault, planCgroup, type Resources } from '@lamella/cgroup';
import { type Claim, type ContainerRecord, claim, directoryOf, keptOf, reclaim, release, releaseContainer } from '@lamella/cleanup';
import { type ImageConfig, makeDirectory } from '@lamella/image';
import { DEFAULT_MOUNTS, DEFAULT_PATH, defaultNamespaces, enter, findUser, inOwnIds, type Mount, type User } from '@lamella/namespace';
import { methodFor, type OverlayStack, overlayMount } from '@lamella/overlay';
import { AT_FDCWD, LOCK, MS, O, type Op, type Program, slotAllocator } from '@lamella/syscall';
import { type Confinement, devicesOf } from './confinement.js';
import { containerFiles } from './container-files.js';
import { EngineError } from './engine-error.js';
import type { RunSpec, Volume } from './run-spec.js';
import { skeleton } from './skeleton.js';

/** The layers a container stands on. */
export interface Lowers {
  /** Absolute paths of trees, the topmost first. */
  readonly trees: readonly string[];
  /** Files to hold a shared lock on meanwhile. */
  readonly locks: readonly string[];
  readonly config: ImageConfig;
}

/** A run, decided: a program and what one needs to know to make sense of what becomes of it. */
export interface Plan {
  readonly id: string;
  readonly args: readonly string[];
  readonly program: Program;
  readonly stack: OverlayStack;
  /** The container's own directory, on the host. */
  readonly directory: string;
}

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,63}$/;

/**
 * Join the packages' ops into the program of a run. Nothing is executed or changed; what is read is
 * the image's passwd, the kinds of volumes and devices, and which cgroups there are.
 *
 * @throws EngineError `NAME_INVALID`, `VOLUME_INVALID`, `NO_COMMAND`; NamespaceError
 */
export function plan(spec: RunSpec, root: string, lowers: Lowers, features: { readonly lowerdirPlus: boolean }, confined: Confinement): Plan {
  const id = spec.name ?? randomId();
  if (!NAME.test(id))
    throw new EngineError({
      code: 'NAME_INVALID',
      message: `'${id}' cannot be the name of a container`,
      hint: 'Letters, digits, _ . and -, at most 64, beginning with a letter or digit.',
    });
  const args = command(spec, lowers.config);
  const network = spec.network ?? 'none';
  const hostname = spec.hostname ?? id.slice(0, 63);
  const user = findUser(spec.user ?? lowers.config.user ?? '', lowers.trees);
  const record: ContainerRecord = { containers: path.join(root, 'containers'), id };
  const directory = directoryOf(record);
  const slots = slotAllocator();

  const isRoot = process.geteuid?.() === 0;
  const place = spec.workspace ?? directory;
  const stack: OverlayStack = {
    lowerdirs: [...lowers.trees, skeleton(root)],
    upperdir: path.join(place, 'upper'),
    workdir: path.join(place, 'work'),
    merged: path.join(place, 'merged'),
    // An upper that is thrown away need not reach the disk.
    options: { ...(isRoot ? {} : { userxattr: true }), ...(spec.keep ? {} : { volatile: true }) },
    flags: MS.NODEV,
  };
  const mount = overlayMount(stack, methodFor(stack, features), slots);
  const onHost = spec.workspace !== undefined && isRoot;
  const files = containerFiles(hostname, network);

  const resources = resourcesOf(spec);
  const group = resources && planCgroup(resources, { name: `${id}-${createHash('sha256').update(root).digest('hex').slice(0, 8)}` }, slots);
  const namespaces = { ...defaultNamespaces(), net: network === 'none' };
  const container = enter(
    {
      args,
      rootfs: stack.merged,
      mounted: true,
      ...(onHost ? {} : { prepare: mount }),
      env: environment(spec, lowers.config, user, hostname),
      cwd: spec.cwd ?? lowers.config.workingDir ?? '/',
      namespaces,
      mounts: [
        ...defaultMounts(spec),
        ...(group?.version === 2 ? [{ type: 'cgroup2', destination: '/sys/fs/cgroup' } as const] : []),
        ...files,
        ...imageVolumes(lowers.config),
        ...(spec.tmpfs ?? []).map((each): Mount => ({ type: 'tmpfs', ...each })),
        ...(spec.volumes ?? []).map(bind),
      ],
      hostname,
      user,
      ...(group ? { cgroup: group } : {}),
      ...confined,
      ...optional(spec, 'umask', 'rlimits', 'readonlyRoot', 'init', 'terminal', 'input', 'oomScoreAdj'),
    },
    slots,
  );

  const directories = [stack.upperdir, stack.workdir, stack.merged].filter((each) => each !== undefined);
  const make = directories.map((pathname): Op => ({ op: 'mkdirat', dirfd: AT_FDCWD, pathname, mode: 0o755 }));
  const held = lowers.locks.flatMap((lock): Op[] => {
    const slot = slots();
    return [
      { op: 'openat', dirfd: AT_FDCWD, pathname: lock, flags: O.RDONLY | O.CLOEXEC, mode: 0, out: slot },
      { op: 'flock', fd: slot, operation: LOCK.SH | LOCK.NB },
    ];
  });
  const groups = (group?.directories ?? []).map((each): Claim => ({ kind: 'empty', path: each }));
  const claims = [...claimsOf(spec, stack, onHost), ...groups];
  const empties = directories.map((each): Claim => ({ kind: 'empty', path: each }));
  const keep: Op[] = spec.keep
    ? [{ op: 'write_file', dirfd: AT_FDCWD, pathname: keptOf(record), flags: O.WRONLY | O.CREAT | O.CLOEXEC, mode: 0o600, data: `${args.join(' ')}\n` }]
    : [];
  const onExit: Op = {
    op: 'on_exit',
    program: [...(group?.events ?? []), ...(spec.keep ? releaseKeeping(stack, claims, directory) : releaseContainer(record, claims))],
  };
  const limit = group?.create ?? [];
  // The caller's umask must not decide who may enter the container's root.
  const umask: Op = { op: 'umask', mask: 0o022 };
  const program: Program = spec.workspace
    ? [
        umask,
        ...holdWorkspace(spec.workspace, slots()),
        // What somebody else puts there in this moment makes mkdir fail, and is not ours to remove.
        ...claim(record, empties, slots, { durable: true }),
        { op: 'on_exit', program: releaseContainer(record, empties) },
        ...make,
        ...reclaim(record, claims, slots),
        onExit,
        ...keep,
        ...limit,
        ...(onHost ? mount : []),
        ...container,
      ]
    : [umask, ...claim(record, claims, slots), onExit, ...held, ...limit, ...keep, ...make, ...container];
  return { id, args, program: inOwnIds(program), stack, directory };
}

/** 48 random bits: what comes before the version in a UUID, which Node makes in advance. */
function randomId(): string {
  return randomUUID().replace('-', '').slice(0, 12);
}

/** Make the directory that all containers are in. */
export function prepareRoot(root: string): void {
  const containers = path.join(root, 'containers');
  if (!existsSync(containers)) makeDirectory(containers);
}

function command(spec: RunSpec, config: ImageConfig): readonly string[] {
  const entrypoint = spec.entrypoint ?? config.entrypoint;
  // As Docker: a new entrypoint does not want the arguments that were meant for the old one.
  const own = spec.args?.length ? spec.args : spec.entrypoint ? [] : config.cmd;
  const args = [...entrypoint, ...own];
  if (!args.length)
    throw new EngineError({
      code: 'NO_COMMAND',
      message: `the image '${spec.image}' has no command of its own`,
      hint: `Name one: lamella run ${spec.image} sh`,
    });
  return args;
}

function environment(spec: RunSpec, config: ImageConfig, user: User, hostname: string): Record<string, string> {
  const image = Object.fromEntries(
    config.env.map((line) => {
      const equals = line.indexOf('=');
      return equals < 0 ? [line, ''] : [line.slice(0, equals), line.slice(equals + 1)];
    }),
  );
  return { PATH: DEFAULT_PATH, HOSTNAME: hostname, ...(spec.terminal ? { TERM: 'xterm' } : {}), HOME: user.home, ...image, ...spec.env };
}

/** As many as podman allows: no program needs more, and a fork bomb stops there. */
const PIDS_LIMIT = 2048;

function resourcesOf({ resources }: RunSpec): Resources | undefined {
  const all: Resources = { ...(canLimitByDefault() ? { pidsLimit: PIDS_LIMIT } : {}), ...resources };
  return Object.values(all).some((value) => value !== undefined) ? all : undefined;
}

/** The mounts that every container gets, with what was asked for of them. */
function defaultMounts(spec: RunSpec): Mount[] {
  const devices = devicesOf(spec);
  return DEFAULT_MOUNTS.map((mount) => {
    if (mount.type === 'dev' && devices.length) return { ...mount, devices };
    if (mount.type === 'proc' && spec.hidepid !== undefined) return { ...mount, hidepid: spec.hidepid };
    if (mount.type === 'sysfs' && spec.privileged) return { ...mount, writable: true };
    return mount.type === 'tmpfs' && spec.shmSize !== undefined ? { ...mount, size: spec.shmSize } : mount;
  });
}

/**
 * What an image calls its volumes: with Docker they get a place beside the container, with us the
 * container's own upper is one. Only a read-only root makes a difference: they stay writable.
 */
function imageVolumes({ volumes = [] }: ImageConfig): Mount[] {
  const paths = new Set(volumes.map((each) => path.posix.resolve('/', each)));
  paths.delete('/');
  return [...paths].map((destination) => ({ type: 'own', destination }));
}

function bind(volume: Volume): Mount {
  const fail = (message: string, hint: string): never => {
    throw new EngineError({ code: 'VOLUME_INVALID', message, hint });
  };
  for (const each of [volume.source, volume.destination])
    if (!path.isAbsolute(each)) fail(`'${each}' in a volume is not an absolute path`, 'Write SRC:DST with absolute paths.');
  if (path.normalize(volume.destination) === '/') fail('a volume cannot be mounted on /', 'Use a directory below it.');
  let directory = false;
  try {
    directory = statSync(volume.source).isDirectory();
  } catch (error) {
    fail(`the volume's source ${volume.source} cannot be used: ${(error as NodeJS.ErrnoException).code}`, 'It must exist; Lamella does not make it.');
  }
  return { type: 'bind', source: volume.source, destination: volume.destination, directory, ...(volume.readonly ? { readonly: true } : {}) };
}

/** One run at a time in a workspace: a lock on the directory itself, held by the monitor. */
function holdWorkspace(workspace: string, slot: number): Program {
  return [
    { op: 'openat', dirfd: AT_FDCWD, pathname: workspace, flags: O.RDONLY | O.DIRECTORY | O.CLOEXEC, mode: 0, out: slot },
    { op: 'flock', fd: slot, operation: LOCK.EX | LOCK.NB },
  ];
}

/** What lies outside of the container's own directory. */
function claimsOf(spec: RunSpec, stack: OverlayStack, onHost: boolean): readonly Claim[] {
  if (!spec.workspace) return [];
  const { upperdir, workdir, merged } = stack;
  return [
    ...(upperdir === undefined || spec.keep ? [] : [{ kind: 'directory', path: upperdir } as const]),
    ...(workdir === undefined ? [] : [{ kind: 'directory', path: workdir } as const]),
    { kind: 'directory', path: merged },
    ...(onHost ? [{ kind: 'mount', path: merged, ...(upperdir === undefined ? {} : { upperdir }) } as const] : []),
  ];
}

/** Release all but the upper and the mark that says so. */
function releaseKeeping(stack: OverlayStack, claims: readonly Claim[], directory: string): Program {
  const own = ['work', 'merged', 'claims'].map((name) => path.join(directory, name));
  return [...release(claims), ...own.filter((each) => each !== stack.upperdir).map((pathname): Op => ({ op: 'rmtree', dirfd: AT_FDCWD, pathname }))];
}

/** The fields of a spec that are set: `exactOptionalPropertyTypes` tells absent from undefined. */
function optional<Key extends keyof RunSpec>(spec: RunSpec, ...keys: readonly Key[]): { [Name in Key]?: Exclude<RunSpec[Name], undefined> } {
  return Object.fromEntries(keys.filter((key) => spec[key] !== undefined).map((key) => [key, spec[key]])) as never;
}
