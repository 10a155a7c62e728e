import path from 'node:path';
import { canLimitByDefault, freezersOf, planCgroup, type Resources } from '@lamella/cgroup';
import { type Claim, type ContainerRecord, claim, claimAgain, directoryOf, keptOf, reclaim, releaseContainer, releaseKept } from '@lamella/cleanup';
import type { ImageConfig } from '@lamella/image';
import { DEFAULT_MOUNTS, DEFAULT_PATH, defaultNamespaces, enter, findUser, inOwnIds, type Mount, type User, withinOwn } from '@lamella/namespace';
import { methodFor, type OverlayStack, overlayDetached, overlayMount } from '@lamella/overlay';
import {
  AT_FDCWD,
  bootId,
  bytesOf,
  END_SERVED,
  idMapping,
  LOCK,
  O,
  type ObjectIdentity,
  type Op,
  openObject,
  ownMountNamespace,
  type Program,
  RESTART,
  type SlotAllocator,
  SUPERVISE,
  slotAllocator,
} from '@lamella/syscall';
import { copyFuseView, endFuseViews, fuseViewsOf, mountFuseViews } from '../../filesystem/fuse-overlays.js';
import { hostMounts, openScaffold, ownUser, prepareHost } from '../../filesystem/host/host-program.js';
import { overlayOf } from '../../filesystem/overlay.js';
import type { CheckedSources } from '../../filesystem/sources/check-sources.js';
import { bind, bindStill, checkPropagation, checkVolume, deviceSources, likeSource } from '../../filesystem/volumes.js';
import { checkedViews, nothingOf, overlayVolumes, scaffoldOf, viewsOf } from '../../filesystem/writable-mounts.js';
import { type Confinement, devicesOf } from '../../isolation/confinement.js';
import { pastaNetwork } from '../../isolation/pasta.js';
import { giveStdio } from '../../isolation/stdio-owner.js';
import { asRootOf, makeUserNamespace, mapOntoItself, ownIds, rangeLinksOf } from '../../isolation/userns.js';
import type { ContainerConfig } from '../../model/container-config.js';
import type { OwnIds } from '../../model/container-ids.js';
import { EngineError } from '../../model/engine-error.js';
import type { Lowers } from '../../model/lowers.js';
import type { RunSpec } from '../../model/run-spec.js';
import type { Source, Sources } from '../../model/source.js';
import type { CheckedView } from '../../model/writable-mount.js';
import { configOf, formatConfig, layersOf } from '../../store/config-file.js';
import { generateName, giveName, takeNameAway } from '../../store/generated-names.js';
import { cgroupName, checkName, randomId } from '../../store/identifiers.js';
import { checkNotGiven, nameLinkOf, targetOf } from '../../store/names.js';
import { keptView } from '../../store/stored-host-view.js';
import { containerFiles } from './container-files.js';
import { logBounds } from './log-bounds.js';
import { containerMounts, ownVolumes } from './mount-order.js';

/** Which life of a container a plan is for. */
export interface Life {
  /** Of a container that is there already; a new one else. */
  readonly again?: ContainerConfig;
  /** It goes on without this process, and writes to its log. */
  readonly detached?: boolean;
  /** It is only made, and may have no command of its own: what it runs is said each time. */
  readonly idle?: boolean;
  /** It does not run: only its files are looked at, with the owners that they have on the disk. */
  readonly still?: boolean;
  /** See {@link ProcessSpec.hold}. */
  readonly hold?: 'go' | 'rest';
  /** States that one which is there already stands on, the latest first. */
  readonly frozen?: readonly string[];
  /** What its last life left, if that was killed. */
  readonly left?: readonly Claim[];
  /** What one that is new is given of the host, where that was decided before. Default: what is there now. */
  readonly given?: Sources;
  /** Paths of sources of one that is there already, where the user accepts what is there now. */
  readonly accept?: readonly string[];
}

/** A run, decided: a program and what one needs to know to make sense of what becomes of it. */
export interface Plan {
  readonly id: string;
  readonly args: readonly string[];
  readonly program: Program;
  readonly stack: OverlayStack;
  /** What is mounted in its root, in order. */
  readonly mounts: readonly Mount[];
  /** Gives slots that these do not use. */
  readonly slots: SlotAllocator;
  /** The overlays beside it, of its volumes. */
  readonly others: readonly CheckedView[];
  /** The container's own directory, on the host. */
  readonly directory: string;
  /** What is known of it from now on. */
  readonly config: ContainerConfig;
  /** For whoever writes the last part of its program. */
  readonly filter: Pick<Confinement, 'seccomp' | 'noNewPrivileges'>;
  /** What the program expects of the host. */
  readonly sources: CheckedSources;
}

/** The first slot of the mounts of a container that does not run. */
const FIRST_STILL = 30;

/**
 * Join the packages' ops into the program of a run. Nothing is executed or changed; what is read is
 * the image's passwd, the kinds of volumes and devices, and which cgroups there are.
 *
 * @throws EngineError `NAME_INVALID`, `VOLUME_INVALID`, `NO_COMMAND`; NamespaceError
 */
export function plan(
  spec: RunSpec,
  root: string,
  lowers: Lowers,
  features: { readonly lowerdirPlus: boolean },
  confined: Confinement,
  sources: CheckedSources,
  life: Life = {},
): Plan {
  const id = life.again?.id ?? randomId();
  if (spec.name !== undefined) checkName(spec.name);
  const containers = path.join(root, 'containers');
  if (spec.name !== undefined && !life.again) checkNotGiven(containers, spec.name);
  const name = spec.name ?? (life.again ? undefined : generateName(containers));
  const args = command(spec, lowers.config, life.idle);
  const network = spec.network ?? 'none';
  // Of one that is there already another network may be asked for, for one command.
  if (spec.publish?.length && network !== 'pasta' && !life.again)
    throw new EngineError({
      code: 'PUBLISH_INVALID',
      message: `ports cannot be published with the network '${network}'`,
      hint:
        network === 'host' ? "With the host's network every port is the host's already: leave publish out." : "Only pasta publishes ports: network: 'pasta'.",
    });
  const hostname = spec.hostname ?? id;
  const keepsId = spec.userns === 'keep-id';
  const own = `${process.geteuid?.()}:${process.getegid?.()}`;
  const user = spec.host ? ownUser() : findUser(spec.user ?? (keepsId ? own : lowers.config.user) ?? '', lowers.trees);
  const record: ContainerRecord = { containers, id };
  const directory = directoryOf(record);
  // The lower slots belong to the programs that read its files (mount-still).
  const slots = slotAllocator(life.still ? FIRST_STILL : undefined);
  const ids = life.again ? life.again.ids : ownIds(spec.userns, id, root);
  const userns = ids && slots();
  if (ids) checkUserNamespace(spec, ids, user);

  const isRoot = process.geteuid?.() === 0;
  const [top, ...others] = checkedViews(viewsOf({ root, directory, spec, lowers, frozen: life.frozen ?? [], ids, sources: sources.now }), sources);
  const given = (pathname: string): Source => {
    const found = sources.now.get(pathname);
    if (!found) throw new TypeError(`nothing is known of ${pathname}`);
    return found;
  };
  const stack: OverlayStack = { ...overlayOf(top, spec, root), merged: path.join(spec.workspace ?? directory, 'merged') };
  const onHost = spec.workspace !== undefined && isRoot;
  const fuse = fuseViewsOf([top, ...others], spec, stack.merged);
  const netns = network === 'pasta' ? slots() : undefined;
  const byMonitor = [
    ...mountFuseViews(fuse, spec, ids, root, slots),
    ...(netns === undefined ? [] : pastaNetwork(directory, spec.publish ?? [], netns, slots)),
  ];
  // What the monitor makes for the container takes the rights that it has in a user namespace.
  const apart = fuse.apart || (netns !== undefined && idMapping().kind === 'single');
  if (!life.still) checkPropagation(spec.volumes ?? [], sources.now, isRoot && !apart);
  if (netns !== undefined && keepsId && !ids)
    throw new EngineError({
      code: 'USERNS_INVALID',
      message: 'who has one id is root inside where the container has a network of its own by pasta, and --userns keep-id asks for another name',
      hint: 'Lines in /etc/subuid and /etc/subgid give you more ids; or leave one of the two out.',
    });
  const mount = top.files ? [] : overlayMount(stack, methodFor(stack, features), slots);

  const env = environment(spec, lowers.config, user, hostname);
  const resources = resourcesOf(spec);
  const group = resources && planCgroup(resources, { name: cgroupName(id, root), observe: life.detached === true && canLimitByDefault() }, slots);
  const namespaces = spec.host
    ? { user: !isRoot, sameId: !isRoot, pid: true, ipc: true, cgroup: true, net: network === 'none' }
    : {
        ...(apart ? withinOwn() : defaultNamespaces()),
        net: network === 'none',
        ...(keepsId && !ids ? { sameId: true } : {}),
      };
  const mapped = (directory: string | undefined, mounts: Program, expected?: ObjectIdentity): Program =>
    userns === undefined || !ids?.idmapped || directory === undefined || life.still
      ? mounts
      : [...mapOntoItself(directory, userns, slots, expected), ...asRootOf(ids, mounts)];
  const made = (view: CheckedView): Mount => {
    const mounted = slots();
    return {
      type: 'made',
      destination: view.destination,
      program:
        (life.still ? undefined : copyFuseView(fuse, view, mounted)) ??
        mapped(view.source, overlayDetached(overlayOf(view, spec, root), mounted, slots), expectedOf(view)),
      mount: mounted,
      // A directory of the host may go in this very moment.
      ...(spec.host ? { optional: true } : {}),
    };
  };
  const confining: readonly Mount[] = [
    ...defaultMounts(spec, sources.now),
    ...(group?.version === 2 ? [{ type: 'cgroup2', destination: '/sys/fs/cgroup' } as const] : []),
  ];
  const mounts = containerMounts({
    confining: [...confining, ...(spec.host ? hostMounts(spec.host, others, made, root) : [])],
    files: spec.host ? [] : containerFiles(hostname, network),
    own: ownVolumes(lowers.config, spec, confining),
    asked: [
      ...(spec.tmpfs ?? []).map((each): Mount => ({ type: 'tmpfs', ...each })),
      ...(spec.volumes ?? []).map((volume) => {
        const source = given(volume.source);
        checkVolume(volume, source);
        const options = { userns, devices: deviceSources(spec, sources.now) };
        if (!volume.overlay) return life.still ? bindStill(volume, source, ids) : bind(volume, source, options);
        const view = others[(spec.host?.overlays.length ?? 0) + overlayVolumes(spec).indexOf(volume)];
        if (!view) throw new TypeError('a volume without its view');
        return made(view);
      }),
    ],
  });
  const container = enter(
    {
      args: args.length ? args : ['-'],
      rootfs: stack.merged,
      mounted: true,
      prepare: [...(spec.terminal ? [] : giveStdio(user, ids)), ...(onHost ? [] : mapped(root, mount))],
      ...(userns === undefined ? {} : { userns }),
      ...(netns === undefined ? {} : { netns }),
      env,
      cwd: spec.cwd ?? lowers.config.workingDir ?? '/',
      namespaces,
      mounts,
      hostname,
      user,
      ...(group ? { cgroup: group } : {}),
      ...(life.hold ? { hold: life.hold } : {}),
      ...confined,
      ...optional(spec, 'umask', 'rlimits', 'readonlyRoot', 'init', 'job', 'terminal', 'oomScoreAdj'),
      // What is typed into a detached one comes by its socket.
      ...(life.detached ? {} : optional(spec, 'input')),
    },
    slots,
  );

  const host = spec.host && keptView(spec.host);
  const config = life.again
    ? { ...life.again, ...(host ? { spec: { ...life.again.spec, host } } : {}) }
    : configOf({
        id,
        spec: { ...spec, ...(name === undefined ? {} : { name }), ...(host ? { host } : {}) },
        lowers,
        args,
        env,
        user,
        ...(ids ? { ids } : {}),
        ...(sources.now.size ? { sources: Object.fromEntries(sources.now) } : {}),
      });
  const mountPoints = fuse.views.flatMap(([view, merged]) => (view === top ? [] : [merged]));
  const beside = [...others.flatMap((view) => [view.upperdir, view.workdir]), ...mountPoints];
  const directories = [top.upperdir, top.workdir, stack.merged];
  const make = [...directories, ...beside].map(
    (pathname): Op => ({ op: 'mkdirat', dirfd: AT_FDCWD, pathname, mode: 0o755, ...(life.again ? { ignore: ['EEXIST'] } : {}) }),
  );
  if (!life.again && !spec.host)
    make.push(...others.flatMap(({ upperdir, source, given }) => (source === undefined ? [] : likeSource(upperdir, source, given?.look))));
  if (spec.host) {
    const before = life.again ? (life.again.spec.host?.overlays.length ?? 0) + 1 : 0;
    make.push(...prepareHost(spec.host, [top, ...others], [top, ...others].slice(before), scaffoldOf(directory)));
    if (spec.host.overlays.some((each) => each.gone))
      make.push({ op: 'mkdirat', dirfd: AT_FDCWD, pathname: nothingOf(directory), mode: 0o755, ignore: ['EEXIST'] });
  }
  const held = lowers.locks.flatMap((lock): Op[] => {
    const slot = slots();
    return [
      { op: 'openat', dirfd: AT_FDCWD, pathname: lock, flags: O.RDONLY | O.CLOEXEC, mode: 0, out: slot },
      { op: 'flock', fd: slot, operation: LOCK.SH | LOCK.NB },
    ];
  });
  const groups = [...(group?.directories ?? []), ...(life.detached ? freezersOf(cgroupName(id, root)) : [])].map(
    (each): Claim => ({ kind: 'empty', path: each }),
  );
  const claims = [...claimsOf(spec, stack, [...others.map(({ workdir }) => workdir), ...mountPoints], onHost), ...groups];
  const range = rangeLinksOf(record.containers, spec.userns, ids);
  const empties = directories.map((each): Claim => ({ kind: 'empty', path: each }));
  const onExit: Op = {
    op: 'on_exit',
    program: [
      ...endFuseViews(fuse),
      ...(byMonitor.length ? [END_SERVED] : []),
      ...(spec.host ? openScaffold(spec.host, scaffoldOf(directory)) : []),
      ...(group?.events(spec.keep ? path.join(directory, 'oom') : undefined) ?? []),
      ...(spec.keep ? [] : range.map((pathname): Op => ({ op: 'unlinkat', dirfd: AT_FDCWD, pathname, flags: 0 }))),
      ...(spec.keep && !spec.removeAtEnd
        ? releaseKept(record, claims)
        : [...releaseContainer(record, claims), ...(name === undefined ? [] : takeNameAway(containers, name, id))]),
    ],
  };
  const limit = group?.create ?? [];
  // The caller's umask must not decide who may enter the container's root.
  const umask: Op = { op: 'umask', mask: 0o022 };
  const known = life.again ? (spec.host ? writeConfigAgain(directory, life.again, config, slots) : []) : makeKnown(record, config, spec, slots);
  const watched = supervise(record, config, spec, life, slots);
  const program: Program = spec.workspace
    ? [
        umask,
        ...holdWorkspace(given(spec.workspace), slots(), slots()),
        // What somebody else puts there in this moment makes mkdir fail, and is not ours to remove.
        ...claim(record, empties, slots, { durable: true }),
        { op: 'on_exit', program: releaseContainer(record, empties) },
        ...known,
        ...make,
        ...reclaim(record, claims, slots),
        onExit,
        ...watched,
        ...limit,
        ...(onHost ? mount : []),
        ...byMonitor,
        ...container,
      ]
    : [
        umask,
        ...(life.again ? claimAgain(record, claims, slots, life.left) : claim(record, claims, slots)),
        onExit,
        ...held,
        ...known,
        ...limit,
        ...make,
        ...watched,
        ...(ids && userns !== undefined ? [makeUserNamespace(ids, userns)] : []),
        ...byMonitor,
        ...container,
      ];
  return {
    id,
    args,
    mounts,
    slots,
    program: apart ? [...ownMountNamespace(), ...program] : spec.host ? program : inOwnIds(program),
    stack,
    others,
    directory,
    config,
    filter: confined,
    sources,
  };
}

/**
 * The program that makes a container without starting it, from the plan of its first life: its
 * directory, what is known of it, and an upper with nothing in it.
 */
export function creation({ config, directory, stack, others }: Plan, spec: RunSpec): Program {
  const record: ContainerRecord = { containers: path.dirname(directory), id: config.id };
  const slots = slotAllocator();
  return inOwnIds([
    { op: 'umask', mask: 0o022 },
    ...claim(record, [], slots),
    { op: 'on_exit', program: releaseContainer(record, []) },
    ...makeKnown(record, config, spec, slots),
    ...[stack, ...others].map(({ upperdir = '' }): Op => ({ op: 'mkdirat', dirfd: AT_FDCWD, pathname: upperdir, mode: 0o755 })),
    ...others.flatMap(({ upperdir, source, given }) => (source === undefined ? [] : likeSource(upperdir, source, given?.look))),
    { op: 'on_exit', program: [] },
  ]);
}

/** Ops that write down what a new container is, and take its name. */
function makeKnown(record: ContainerRecord, config: ContainerConfig, spec: RunSpec, slots: SlotAllocator): Program {
  const flags = O.WRONLY | O.CREAT | O.EXCL | O.CLOEXEC;
  const write = (pathname: string, data: string): Op => ({ op: 'write_file', dirfd: AT_FDCWD, pathname, flags, mode: 0o600, data });
  const directory = directoryOf(record);
  const range = rangeLinksOf(record.containers, spec.userns, config.ids);
  return [
    ...(spec.name === undefined
      ? giveName(record.containers, config.spec.name ?? record.id, record.id)
      : [{ op: 'symlinkat', target: targetOf(record.id), newdirfd: AT_FDCWD, linkpath: nameLinkOf(record.containers, spec.name) } as const]),
    ...range.map((linkpath): Op => ({ op: 'symlinkat', target: targetOf(record.id), newdirfd: AT_FDCWD, linkpath })),
    ...writeLong(path.join(directory, 'config.json'), formatConfig(config), slots),
    ...(spec.keep ? [write(path.join(directory, 'layers'), layersOf(config)), write(keptOf(record), '')] : []),
  ];
}

/** So many bytes of a file are written by one op, of which a frame holds some more. */
const LONGEST_WRITE = 1 << 20;

/** Ops that make a private file, however long it is. */
function writeLong(pathname: string, text: string, slots: SlotAllocator, existing = O.EXCL): Program {
  const flags = O.WRONLY | O.CREAT | existing | O.CLOEXEC;
  const data = bytesOf(text);
  if (data.length <= LONGEST_WRITE) return [{ op: 'write_file', dirfd: AT_FDCWD, pathname, flags, mode: 0o600, data: text }];
  const fd = slots();
  const parts = Array.from({ length: Math.ceil(data.length / LONGEST_WRITE) }, (_, i) => data.subarray(i * LONGEST_WRITE, (i + 1) * LONGEST_WRITE));
  return [{ op: 'openat', dirfd: AT_FDCWD, pathname, flags, mode: 0o600, out: fd }, ...parts.map((buf): Op => ({ op: 'write', fd, buf })), { op: 'close', fd }];
}

/**
 * Ops that write down what a container has become, if that is something else. After a power cut the old config is there, or the new one:
 * without a config the container and its changes would not be found.
 */
function writeConfigAgain(directory: string, before: ContainerConfig, config: ContainerConfig, slots: SlotAllocator): Program {
  const text = formatConfig(config);
  if (text === formatConfig(before)) return [];
  const pathname = path.join(directory, 'config.json');
  const next = `${pathname}.next`;
  const fd = slots();
  return [
    ...writeLong(next, text, slots, O.TRUNC),
    { op: 'openat', dirfd: AT_FDCWD, pathname: next, flags: O.RDONLY | O.CLOEXEC, mode: 0, out: fd },
    { op: 'fsync', fd },
    { op: 'close', fd },
    { op: 'renameat2', olddirfd: AT_FDCWD, oldpath: next, newdirfd: AT_FDCWD, newpath: pathname, flags: 0 },
  ];
}

/** The op that tells the monitor how to look after the container. */
function supervise(record: ContainerRecord, config: ContainerConfig, spec: RunSpec, life: Life, slots: SlotAllocator): Program {
  const [dirfd, events] = [slots(), slots()];
  const { LISTEN, LOG, DETACHED, INPUT, RECORD } = SUPERVISE;
  const detached = life.detached ? LOG | DETACHED | (spec.input?.forward && !spec.terminal ? INPUT : 0) : 0;
  const bounds = logBounds(spec);
  const policy = spec.restart?.policy === 'unless-stopped' ? 'always' : (spec.restart?.policy ?? 'no');
  const { name } = config.spec;
  const attributes = { boot: bootId(), id: record.id, image: config.image, ...(name === undefined ? {} : { name }) };
  return [
    { op: 'openat', dirfd: AT_FDCWD, pathname: directoryOf(record), flags: O.PATH | O.DIRECTORY | O.CLOEXEC, mode: 0, out: dirfd },
    {
      op: 'openat',
      dirfd: AT_FDCWD,
      pathname: path.join(record.containers, '.events'),
      flags: O.WRONLY | O.APPEND | O.CREAT | O.CLOEXEC,
      mode: 0o600,
      out: events,
    },
    {
      op: 'supervise',
      dirfd,
      flags: LISTEN | (spec.keep ? RECORD : 0) | detached,
      log_size: bounds.maxSize,
      log_files: bounds.maxFiles,
      restart: RESTART[policy],
      restart_limit: spec.restart?.limit ?? 0,
      events,
      // The members of an object, without its braces.
      attributes: JSON.stringify(attributes).slice(1, -1),
      detach_keys: spec.terminal && spec.input?.forward ? (spec.detachKeys ?? DEFAULT_DETACH_KEYS) : '',
      // Some filesystems have no sockets: then nobody can come by one.
      ignore: ['EOPNOTSUPP', 'EPERM', 'ENOSYS'],
    },
  ];
}

/** As Docker: ctrl-p ctrl-q. */
const DEFAULT_DETACH_KEYS = '\u0010\u0011';

function command(spec: RunSpec, config: ImageConfig, idle = false): readonly string[] {
  const entrypoint = spec.entrypoint ?? config.entrypoint;
  // As Docker: a new entrypoint does not want the arguments that were meant for the old one.
  const own = spec.args?.length ? spec.args : spec.entrypoint ? [] : config.cmd;
  const args = [...entrypoint, ...own];
  if (!args.length && !idle)
    throw new EngineError({
      code: 'NO_COMMAND',
      message: `the image '${spec.image}' has no command of its own`,
      hint: `Name one: lamella run ${spec.image} sh, or lamella run --on CONTAINER sh.`,
    });
  return args;
}

function environment(spec: RunSpec, config: ImageConfig, user: User, hostname: string): Record<string, string> {
  if (spec.host) return { ...spec.env };
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
function defaultMounts(spec: RunSpec, sources: Sources): Mount[] {
  const devices = devicesOf(spec, sources);
  return DEFAULT_MOUNTS.map((mount) => {
    if (mount.type === 'dev' && devices.length) return { ...mount, devices };
    if (mount.type === 'proc' && spec.hidepid !== undefined) return { ...mount, hidepid: spec.hidepid };
    if (mount.type === 'sysfs' && spec.privileged) return { ...mount, writable: true };
    return mount.type === 'tmpfs' && spec.shmSize !== undefined ? { ...mount, size: spec.shmSize } : mount;
  });
}

/** @throws EngineError `USERNS_INVALID` */
function checkUserNamespace({ workspace, volumes = [] }: RunSpec, { uids, gids }: OwnIds, { uid, gid }: User): void {
  const fail = (message: string, hint: string): never => {
    throw new EngineError({ code: 'USERNS_INVALID', message, hint });
  };
  if (workspace !== undefined)
    fail('a workspace shows the host the ids of the container, and has none of its own', 'Import the image, and run it without --workspace.');
  if (volumes.some(({ source, overlay }) => overlay && path.normalize(source) === '/'))
    fail('the root of the host cannot be mapped to other ids', 'Show a directory below it.');
  const has = (maps: OwnIds['uids'], id: number): boolean => maps.some(({ inside, count }) => id >= inside && id < inside + count);
  if (!has(uids, uid) || !has(gids, gid)) fail(`the container has no ids ${uid}:${gid} to run as`, 'Give it more: --userns auto:size=65536.');
}

/** Which object the source of a view has to be. */
function expectedOf({ source, expected }: CheckedView): ObjectIdentity | undefined {
  return source === undefined ? undefined : expected[source];
}

/** One run at a time in a workspace: a lock on the directory itself, held by the monitor. */
function holdWorkspace(workspace: Source, object: number, slot: number): Program {
  return [
    ...openObject(workspace.path, workspace.identity, object),
    { op: 'openat', dirfd: object, pathname: '.', flags: O.RDONLY | O.DIRECTORY | O.CLOEXEC, mode: 0, out: slot },
    { op: 'flock', fd: slot, operation: LOCK.EX | LOCK.NB },
  ];
}

/** What is to be released beside the container's own directory, or before it when that stays. */
function claimsOf(spec: RunSpec, { upperdir, workdir, merged }: OverlayStack, beside: readonly string[], onHost: boolean): readonly Claim[] {
  if (!spec.workspace && !spec.keep) return [];
  return [
    ...beside.map((each): Claim => ({ kind: 'directory', path: each })),
    ...(upperdir === undefined || spec.keep ? [] : [{ kind: 'directory', path: upperdir } as const]),
    ...(workdir === undefined ? [] : [{ kind: 'directory', path: workdir } as const]),
    { kind: 'directory', path: merged },
    ...(onHost ? [{ kind: 'mount', path: merged, ...(upperdir === undefined ? {} : { upperdir }) } as const] : []),
  ];
}

/** The fields of a spec that are set: `exactOptionalPropertyTypes` tells absent from undefined. */
function optional<Key extends keyof RunSpec>(spec: RunSpec, ...keys: readonly Key[]): { [Name in Key]?: Exclude<RunSpec[Name], undefined> } {
  return Object.fromEntries(keys.filter((key) => spec[key] !== undefined).map((key) => [key, spec[key]])) as never;
}
