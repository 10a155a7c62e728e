import { mkdirSync, renameSync, statSync } from 'node:fs';
import { readdir, readFile, readlink, stat } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ContainerRecord, directoryOf, gateOf } from '@lamella/cleanup';
import { becomeRoot } from '@lamella/namespace';
import { overlayDetached } from '@lamella/overlay';
import {
  AT_FDCWD,
  CLONE,
  FILE_BOUNDS,
  idMapping,
  ignoreMissing,
  lockFile,
  MNT,
  MOUNT_ATTR,
  MOVE_MOUNT,
  type MountPoint,
  MS,
  mountSetattr,
  O,
  OPEN_TREE,
  type Op,
  openRegular,
  type Program,
  readMounts,
  readNamed,
  run,
  runInUserNamespace,
  type SlotAllocator,
  SyscallError,
  slotAllocator,
  tryLockFile,
} from '@lamella/syscall';
import { refuseExchange } from '../filesystem/fuse-overlays.js';
import { overlayOf } from '../filesystem/overlay.js';
import { checkSources } from '../filesystem/sources/check-sources.js';
import { completeSources } from '../filesystem/sources/record-sources.js';
import { checkedMounts } from '../filesystem/writable-mounts.js';
import { asRootOf, mapOntoItself } from '../isolation/userns.js';
import { processesOf } from '../lifecycle/processes.js';
import type { ContainerConfig } from '../model/container-config.js';
import { EngineError } from '../model/engine-error.js';
import type { CheckedMount, WritableMount } from '../model/writable-mount.js';
import { randomId } from '../store/identifiers.js';
import { areCopied, type Branching, readLayerStack } from './checkpoint.js';

/** A container that runs, whose layers are to be exchanged. */
interface Running {
  /** Absolute path of the store. */
  readonly root: string;
  readonly config: ContainerConfig;
  /** The host's pid of its init. */
  readonly pid: number;
  readonly views: readonly WritableMount[];
}

/** What is in a file of which there is but a mount, such as /etc/hosts. */
interface File {
  readonly content: Buffer;
  readonly mode: number;
}

/** A view, and the overlay that it is seen through now. */
interface Place {
  readonly view: WritableMount;
  readonly mount: MountPoint;
  /** MS_* flags of the mount. */
  readonly flags: number;
}

/**
 * Does to the uppers of a container that runs what is done to those of one at rest, and exchanges what is beneath its processes:
 * new overlays replace those that are there. No process may use the old ones: an open file or a current directory
 * in them would stay behind. Meanwhile all processes are paused.
 *
 * A process's root, and its current directory where that is the root, are exchanged by pivot_root(2), which does it for the whole
 * mount namespace. Programs that run stay mapped from the old overlay, which nobody writes to any more.
 *
 * @param stop holds its processes, until the result is disposed
 * @throws EngineError `FUSE_UNFIT`; `CHECKPOINT_BUSY`, with what is in the way: then nothing was done; `CHECKPOINT_UNFINISHED`
 */
export async function withPaused<Result>(
  root: string,
  config: ContainerConfig,
  pid: number,
  stop: () => Promise<AsyncDisposable>,
  work: (held: Branching) => Promise<Result>,
): Promise<Result> {
  const record: ContainerRecord = { containers: path.join(root, 'containers'), id: config.id };
  if (config.spec.restart && config.spec.restart.policy !== 'no')
    throw busy(config, 'its monitor may start it again, on what it stood on before', 'Only one without --restart can be frozen while it runs.');
  // Its own lock is the monitor's.
  await using _gate = await lockFile(gateOf(record.containers), { shared: true });
  await using lock = await tryLockFile(path.join(directoryOf(record), 'exchange'));
  if (!lock) throw busy(config, 'somebody else does it');
  refuseExchange(readLayerStack(root, record, config).views);
  await using _stopped = await stop();
  // What is mounted anew has to be what the container was given.
  const sources = checkSources(completeSources(directoryOf(record), config), config.spec, config.spec.name ?? config.id);
  const { frozen, views } = readLayerStack(root, record, config);
  // What is copied stays beneath the processes.
  if (areCopied(root, config, frozen)) return await work({ root, record, config, frozen, views, copies: true });
  const running: Running = { root, config, pid, views };
  const places = mountsOfViews(running, readMounts(pid));
  await refuseHolders(config, pid, places);
  const readonly = (on: boolean): Promise<unknown> =>
    run([
      ...enter(pid),
      ...places.map(({ mount, flags }) => remount(mount.point, flags | (on ? MS.RDONLY : 0))),
      // The filesystem may be written to again, and its mount at / may not, as before.
      ...(!on && config.spec.readonlyRoot ? [remount('/', MS.BIND | MS.NODEV | MS.RDONLY)] : []),
    ]);
  try {
    await readonly(true);
  } catch (error) {
    await readonly(false);
    if (error instanceof SyscallError && error.code === 'EBUSY') throw busy(config, 'a process has a file open for writing, or one that was removed');
    throw error;
  }
  const before = views.map(({ upperdir }) => statSync(upperdir).ino);
  const isMoved = (): boolean => views.some(({ upperdir }, i) => statSync(upperdir, { throwIfNoEntry: false })?.ino !== before[i]);
  try {
    const result = await work({ root, record, config, frozen, views, copies: false });
    // A fork of one that has written nothing freezes nothing.
    if (isMoved()) await switchTo(running, places, checkedMounts(readLayerStack(root, record, config).views, sources));
    else await readonly(false);
    return result;
  } catch (error) {
    if (!isMoved()) {
      await readonly(false);
      throw error;
    }
    // What is below its processes is frozen now: nothing is lost, but there they must not write.
    throw new EngineError({
      code: 'CHECKPOINT_UNFINISHED',
      message: `the container ${config.spec.name ?? config.id} is frozen, but its processes could not be moved above that: ${(error as Error).message}`,
      hint: `They go on, and cannot write any more: lamella restart ${config.spec.name ?? config.id}`,
      cause: error,
    });
  }
}

/** Mounts what is beneath the processes from now on, each upper with a new work directory, because the old ones are still in use. */
async function switchTo(running: Running, places: readonly Place[], views: readonly CheckedMount[]): Promise<void> {
  const old = views.map(({ workdir }) => `${workdir}.old`);
  await removeAll(old);
  for (const [i, { workdir }] of views.entries()) {
    renameSync(workdir, old[i] ?? '');
    mkdirSync(workdir, { mode: 0o755 });
  }
  const mounts = readMounts(running.pid);
  const nameless = await namelessIn(running.pid, places[0]?.mount, mounts);
  await run(switchOver(running, places, views, mounts, nameless));
  await removeAll(old);
}

async function removeAll(directories: readonly string[]): Promise<void> {
  await runInUserNamespace(directories.map((pathname): Op => ({ op: 'rmtree', dirfd: AT_FDCWD, pathname })));
}

/** Ops after which this process is in a container's mount namespace, with the right to mount there. */
function enter(pid: number): Program {
  const pidfd = 5;
  return [
    { op: 'pidfd_open', pid, flags: 0, out: pidfd },
    { op: 'setns', fd: pidfd, nstype: CLONE.NEWNS | (idMapping().kind === 'host' ? 0 : CLONE.NEWUSER) },
    { op: 'close', fd: pidfd },
  ];
}

function remount(target: string, mountflags: number): Op {
  return { op: 'mount', source: null, target, filesystemtype: null, mountflags: MS.REMOUNT | mountflags, data: null };
}

/** Mounts the new overlays, takes along what is mounted in the old ones, and lets those go. */
function switchOver(
  { root, config, pid }: Running,
  places: readonly Place[],
  views: readonly CheckedMount[],
  mounts: readonly MountPoint[],
  nameless: ReadonlyMap<string, File>,
): Program {
  const slots = slotAllocator();
  const pidfd = slots();
  const { ids } = config;
  const isRoot = idMapping().kind === 'host';
  const made = places.map(({ view }) => {
    const now = views.find(({ upperdir }) => upperdir === view.upperdir);
    if (!now) throw new TypeError('a view that is gone');
    const slot = slots();
    return { slot, view: now, program: overlayDetached(overlayOf(now, config.spec, root), slot, slots) };
  });
  const overlays = made.flatMap(({ program }) => program);
  const userns = slots();
  const mapped: Program = !ids?.idmapped
    ? overlays
    : [
        { op: 'openat', dirfd: AT_FDCWD, pathname: `/proc/${pid}/ns/user`, flags: O.RDONLY | O.CLOEXEC, mode: 0, out: userns },
        ...mapOntoItself(root, userns, slots),
        ...views.flatMap(({ source, expected }) => (source === undefined ? [] : mapOntoItself(source, userns, slots, expected[source]))),
        { op: 'close', fd: userns },
        ...asRootOf(ids, overlays),
      ];
  return [
    { op: 'pidfd_open', pid, flags: 0, out: pidfd },
    ...(isRoot ? [] : [{ op: 'setns', fd: pidfd, nstype: CLONE.NEWUSER } as const]),
    { op: 'unshare', flags: CLONE.NEWNS },
    { op: 'mount', source: null, target: '/', filesystemtype: null, mountflags: MS.REC | MS.PRIVATE, data: null },
    ...mapped,
    { op: 'umask', mask: 0 },
    { op: 'setns', fd: pidfd, nstype: CLONE.NEWNS | (isRoot && ids ? CLONE.NEWUSER : 0) },
    ...(isRoot && ids ? becomeRoot : []),
    ...places.flatMap(({ mount }, i) => {
      const slot = made[i]?.slot ?? -1;
      return mount.point === '/' ? newRoot(slot, mount, config, { mounts, nameless }, slots) : inPlaceOf(slot, mount.point);
    }),
  ];
}

/** A volume's overlay: nobody is in it. */
function inPlaceOf(slot: number, point: string): Program {
  return [
    { op: 'umount2', target: point, flags: MNT.DETACH | MNT.UMOUNT_NOFOLLOW },
    { op: 'move_mount', from_dirfd: slot, from_pathname: '', to_dirfd: AT_FDCWD, to_pathname: point, flags: MOVE_MOUNT.F_EMPTY_PATH },
    { op: 'close', fd: slot },
  ];
}

/** The new root goes over the old one, which is still where every path begins; then all is moved across, and the old one let go. */
function newRoot(
  slot: number,
  { id }: MountPoint,
  { spec }: ContainerConfig,
  { mounts, nameless }: { readonly mounts: readonly MountPoint[]; readonly nameless: ReadonlyMap<string, File> },
  slots: SlotAllocator,
): Program {
  const child = slots();
  const copy = `/dev/.${randomId()}`;
  const below = mounts.filter(({ parent }) => parent === id);
  const moveTo = (point: string): Op[] => [
    { op: 'move_mount', from_dirfd: child, from_pathname: '', to_dirfd: slot, to_pathname: point.slice(1), flags: MOVE_MOUNT.F_EMPTY_PATH },
    { op: 'close', fd: child },
  ];
  return [
    ...(spec.readonlyRoot ? [mountSetattr(slot, { set: MOUNT_ATTR.RDONLY })] : []),
    { op: 'move_mount', from_dirfd: slot, from_pathname: '', to_dirfd: AT_FDCWD, to_pathname: '/', flags: MOVE_MOUNT.F_EMPTY_PATH },
    // The kernel moves no mount of a file without a name: another one like it takes its place, while /dev is where it was.
    ...below.flatMap(({ point }): Op[] => {
      const file = nameless.get(point);
      if (!file) return [];
      return [
        { op: 'write_file', dirfd: AT_FDCWD, pathname: copy, flags: O.WRONLY | O.CREAT | O.EXCL | O.CLOEXEC, mode: file.mode, data: file.content },
        { op: 'open_tree', dirfd: AT_FDCWD, pathname: copy, flags: OPEN_TREE.CLONE | OPEN_TREE.CLOEXEC, out: child },
        ...moveTo(point),
        { op: 'unlinkat', dirfd: AT_FDCWD, pathname: copy, flags: 0 },
      ];
    }),
    ...below
      .filter(({ point }) => !nameless.has(point))
      .flatMap(({ point }): Op[] => [{ op: 'open_tree', dirfd: AT_FDCWD, pathname: point, flags: OPEN_TREE.CLOEXEC, out: child }, ...moveTo(point)]),
    { op: 'fchdir', fd: slot },
    { op: 'pivot_root', new_root: '.', put_old: '.' },
    { op: 'umount2', target: '.', flags: MNT.DETACH },
    { op: 'chdir', path: '/' },
    { op: 'close', fd: slot },
  ];
}

/** What is in the files without a name that are mounted in the root, by where. */
async function namelessIn(pid: number, root: MountPoint | undefined, mounts: readonly MountPoint[]): Promise<ReadonlyMap<string, File>> {
  const files = mounts.filter((each) => each.root.endsWith('//deleted') && each.parent === root?.id);
  return new Map(
    await Promise.all(
      files.map(async ({ point }) => {
        // The container may have written into it, and says what lies on the way there.
        const place = { root: `/proc/${pid}/root`, path: point, leaving: 'clamped' } as const;
        await using handle = await openRegular(place);
        // Both of the same object: the container may exchange the one at this path at any moment.
        return [point, { content: readNamed(handle.fd, FILE_BOUNDS.host, point), mode: (await handle.stat()).mode & 0o777 }] as const;
      }),
    ),
  );
}

/** Where each view is seen. @throws EngineError `CHECKPOINT_BUSY` when it is not as it was made */
function mountsOfViews({ config, views }: Running, mounts: readonly MountPoint[]): readonly Place[] {
  const places = views.map((view): Place => {
    const own = mounts.filter(({ superOptions }) => superOptions.split(',').includes(`upperdir=${view.upperdir}`));
    const mount = view.destination === '/' ? mounts.findLast(({ point }) => point === '/') : own.at(-1);
    const shared = mount && mounts.filter(({ device }) => device === mount.device).length > 1;
    if (!mount || shared)
      throw busy(config, `${view.destination} is mounted more than once in it, as for volumes of the image below a read-only root, or not any more`);
    return { view, mount, flags: MS.NODEV | (view.destination === '/' ? 0 : MS.NOSUID) };
  });
  return places;
}

/**
 * Checks that no process holds on to what is exchanged: an open file or directory, a current directory other than the root, or a different root.
 */
async function refuseHolders(config: ContainerConfig, init: number, places: readonly Place[]): Promise<void> {
  const ids = new Map(places.map(({ mount }) => [mount.id, mount.point]));
  const [root, ...others] = await Promise.all(places.map(({ mount }) => stat(`/proc/${init}/root${mount.point}`)));
  // As fdinfo writes a device (proc_pid_fdinfo(5)).
  const watched = places.map(({ mount }) => {
    const [major = 0, minor = 0] = mount.device.split(':').map(Number);
    return (major * 0x100000 + minor).toString(16);
  });
  const devices = new Set([root, ...others].map((each) => each?.dev));
  for (const { pid, name } of await processesOf(init)) {
    const who = `the process ${name} (${pid} of the host)`;
    try {
      for (const task of await readdir(`/proc/${pid}/task`)) {
        const at = `/proc/${pid}/task/${task}`;
        const [cwd, top] = await Promise.all([stat(`${at}/cwd`), stat(`${at}/root`)]);
        if (top.dev !== root?.dev || top.ino !== root.ino) throw busy(config, `${who} has another root`);
        if (devices.has(cwd.dev) && !(cwd.dev === root.dev && cwd.ino === root.ino))
          throw busy(config, `${who} works in ${await readlink(`${at}/cwd`)}`, 'Only where everybody works in /, or in a volume, can layers be exchanged.');
      }
      for (const fd of await readdir(`/proc/${pid}/fd`)) {
        const info = await readFile(`/proc/${pid}/fdinfo/${fd}`, 'utf8').catch(ignoreMissing);
        if (info !== undefined && watched.some((device) => info.includes(` sdev:${device} `)))
          throw busy(config, `${who} watches files (inotify(7)), and would not hear of others`);
        if (info !== undefined && ids.has(Number(/^mnt_id:\s+(\d+)$/m.exec(info)?.[1])))
          throw busy(config, `${who} has ${await readlink(`/proc/${pid}/fd/${fd}`)} open`);
      }
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT' || code === 'ESRCH') continue;
      if (code === 'EACCES' || code === 'EPERM') throw busy(config, `${who} cannot be looked at by this user`);
      throw error;
    }
  }
}

function busy({ id, spec }: ContainerConfig, reason: string, hint = `Wait until it is not, or stop it first: lamella stop ${spec.name ?? id}`): EngineError {
  return new EngineError({ code: 'CHECKPOINT_BUSY', message: `the container ${spec.name ?? id} is running, and cannot be frozen now: ${reason}`, hint });
}

/**
 * Stops the processes of a container by SIGSTOP, for users who cannot freeze a cgroup. Disposing of the result continues those that
 * were stopped here, children first, so that no parent sees a stopped child.
 */
export async function holdBySignals(init: number): Promise<AsyncDisposable> {
  const stopped: number[] = [];
  const letGo = (): void => {
    for (const pid of stopped.splice(0).reverse()) signal(pid, 'SIGCONT');
  };
  try {
    for (let tries = 0; tries < 500; tries++) {
      const going = (await processesOf(init)).filter(({ state }) => !'TtZX'.includes(state));
      if (!going.length) return { [Symbol.asyncDispose]: async () => letGo() };
      for (const { pid } of going) {
        if (!stopped.includes(pid)) stopped.push(pid);
        signal(pid, 'SIGSTOP');
      }
      await sleep(1);
    }
    throw new EngineError({
      code: 'CHECKPOINT_BUSY',
      message: 'the processes of the container do not stop',
      hint: 'One is in a system call that cannot be interrupted; try again.',
    });
  } catch (error) {
    letGo();
    throw error;
  }
}

function signal(pid: number, name: 'SIGSTOP' | 'SIGCONT'): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
