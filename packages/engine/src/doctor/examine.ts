import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { access, constants, readFile, statfs } from 'node:fs/promises';
import { release } from 'node:os';
import path from 'node:path';
import { canLimitByDefault, cgroupVersion, planCgroup } from '@lamella/cgroup';
import { gateOf } from '@lamella/cleanup';
import { makeDirectory } from '@lamella/image';
import { NamespaceError, type Namespaces } from '@lamella/namespace';
import { FUSE_DEVICE, fuseOverlayAtExit, overlayDetached, probeFeatures } from '@lamella/overlay';
import { DEFAULT_FILTERS } from '@lamella/seccomp/default-filter';
import {
  AT,
  AT_FDCWD,
  CLONE,
  END_SERVED,
  findProgram,
  type HeldLock,
  type IdRange,
  idMapping,
  interpreterPath,
  LamellaError,
  lockFile,
  mapSingleId,
  type Op,
  ownMountNamespace,
  PR,
  type Program,
  removeScratch,
  run,
  runInUserNamespace,
  SyscallError,
  slotAllocator,
  unfitForUpper,
} from '@lamella/syscall';
import { explainPasta, pastaNetwork } from '../isolation/pasta.js';
import { makeUserNamespace, mapOntoItself, mapsIds, range } from '../isolation/userns.js';

/** One thing a machine has, or has not. */
export interface Finding {
  readonly subject: string;
  /** `missing` costs a feature, `broken` means that nothing runs. */
  readonly state: 'ok' | 'missing' | 'broken';
  readonly detail: string;
  readonly consequence?: string;
  readonly remedy?: string;
}

/**
 * Try what a run needs on this machine, as this user.
 *
 * @param root absolute path of the store
 */
export async function examine(root: string): Promise<readonly Finding[]> {
  const place = await store(root);
  const served = await fuse(root, place);
  return [
    kernel(),
    await interpreter(),
    await namespaces(),
    await subordinateIds(),
    place,
    await overlay(root, place, served),
    served,
    ...(await mappedIds(root, place, served)),
    await seccomp(),
    await cgroup(),
    await pasta(root, place),
    await xz(),
  ];
}

function kernel(): Finding {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  const old = major < 5 || (major === 5 && minor < 12);
  const detail = `Linux ${release()}`;
  if (!old) return { subject: 'kernel', state: 'ok', detail };
  return { subject: 'kernel', state: 'broken', detail, consequence: 'mount_setattr(2) and others are missing.', remedy: 'Linux 5.12 or later is needed.' };
}

async function interpreter(): Promise<Finding> {
  try {
    const { values } = await run([{ op: 'umask', mask: 0o22, reply: true }]);
    if (!values.size) return { subject: 'interpreter', state: 'broken', detail: `${interpreterPath()} does nothing`, remedy: 'Unset LAMELLA_INIT.' };
    return { subject: 'interpreter', state: 'ok', detail: interpreterPath() };
  } catch (error) {
    return { subject: 'interpreter', state: 'broken', ...told(error) };
  }
}

const NAMES: readonly (readonly [keyof Namespaces | 'mount', number])[] = [
  ['mount', CLONE.NEWNS],
  ['pid', CLONE.NEWPID],
  ['uts', CLONE.NEWUTS],
  ['ipc', CLONE.NEWIPC],
  ['net', CLONE.NEWNET],
  ['cgroup', CLONE.NEWCGROUP],
  ['time', CLONE.NEWTIME],
];

async function namespaces(): Promise<Finding> {
  const user = process.geteuid?.() !== 0;
  const lead: Program = user ? mapSingleId({ uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 }) : [];
  const refused: string[] = [];
  const works = async (flags: number): Promise<boolean> => {
    try {
      await run([{ op: 'unshare', flags: flags + (user ? CLONE.NEWUSER : 0) }, ...lead], { stdio: ['ignore', 'ignore', 'ignore'] });
      return true;
    } catch (error) {
      if (error instanceof LamellaError) return false;
      throw error;
    }
  };
  if (user && !(await works(0)))
    return {
      subject: 'namespaces',
      state: 'broken',
      detail: 'an ordinary user may not make user namespaces here',
      consequence: 'Only root can run containers.',
      remedy: await whatBlocksUserNamespaces(),
    };
  for (const [name, flags] of NAMES) if (!(await works(flags))) refused.push(name);
  const made = [...(user ? ['user'] : []), ...NAMES.map(([name]) => name).filter((name) => !refused.includes(name))];
  if (!refused.length) return { subject: 'namespaces', state: 'ok', detail: made.join(' ') };
  return {
    subject: 'namespaces',
    state: refused.length === 1 && refused[0] === 'time' ? 'missing' : 'broken',
    detail: `refused: ${refused.join(' ')}`,
    consequence: 'Containers cannot be separated in these.',
    remedy: 'Run as root, or on a kernel with these namespaces.',
  };
}

/** The switches by which distributions forbid them, and which of them is thrown here. */
const SWITCHES: readonly (readonly [name: string, blocks: (value: string) => boolean, remedy: string])[] = [
  ['kernel/unprivileged_userns_clone', (value) => value === '0', 'sysctl kernel.unprivileged_userns_clone=1 (Debian forbids it).'],
  [
    'kernel/apparmor_restrict_unprivileged_userns',
    (value) => value === '1',
    'sysctl kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor profile for node with `userns,` (Ubuntu forbids it).',
  ],
  ['user/max_user_namespaces', (value) => value === '0', 'sysctl user.max_user_namespaces=15000.'],
];

async function whatBlocksUserNamespaces(): Promise<string> {
  const thrown: string[] = [];
  for (const [name, blocks, remedy] of SWITCHES) {
    const value = await readFile(`/proc/sys/${name}`, 'utf8').catch(() => '');
    if (blocks(value.trim())) thrown.push(remedy);
  }
  return (
    thrown.join(' ') ||
    'No sysctl forbids it: a seccomp filter around this process does (inside of another container), or a security module. Run as root, or outside.'
  );
}

async function subordinateIds(): Promise<Finding> {
  const subject = 'sub-ids';
  const mapping = idMapping();
  if (mapping.kind === 'host') return { subject, state: 'ok', detail: 'root has all ids' };
  if (mapping.kind === 'single')
    return {
      subject,
      state: 'missing',
      detail: 'newuidmap and newgidmap, or lines for you in /etc/subuid and /etc/subgid, are not there',
      consequence: "Containers have one id: files of others in an image become root's, and -u takes root only.",
      remedy: 'As root: apt-get install uidmap; usermod --add-subuids 100000-165535 --add-subgids 100000-165535 NAME.',
    };
  try {
    await runInUserNamespace([{ op: 'umask', mask: 0o22 }]);
  } catch (error) {
    return { subject, state: 'broken', consequence: 'Nothing can be imported or run.', ...told(error) };
  }
  const sum = (ranges: readonly IdRange[]): number => ranges.reduce((total, { count }) => total + count, 0);
  return { subject, state: 'ok', detail: `${sum(mapping.uids)} users and ${sum(mapping.gids)} groups beside your own` };
}

async function seccomp(): Promise<Finding> {
  const filter = DEFAULT_FILTERS[process.arch];
  const consequence = 'Containers run only with --security-opt seccomp=unconfined, and may ask everything of the kernel.';
  if (!filter) return { subject: 'seccomp', state: 'missing', detail: `there is no filter for ${process.arch}`, consequence };
  try {
    await run([
      { op: 'prctl', option: PR.SET_NO_NEW_PRIVS, arg2: 1, arg3: 0, arg4: 0, arg5: 0 },
      { op: 'seccomp', operation: 1, flags: 0, filter },
    ]);
    return { subject: 'seccomp', state: 'ok', detail: `filter of ${filter.length / 8} instructions` };
  } catch (error) {
    return { subject: 'seccomp', state: 'missing', consequence, ...told(error), remedy: 'A kernel with CONFIG_SECCOMP_FILTER.' };
  }
}

async function store(root: string): Promise<Finding> {
  const consequence = 'Nothing can be imported or run.';
  try {
    makeDirectory(path.join(root, 'containers'));
  } catch (error) {
    return { subject: 'store', state: 'broken', consequence, ...told(error) };
  }
  try {
    await access(root, constants.W_OK);
  } catch (error) {
    const detail = `${root} cannot be written to: ${(error as NodeJS.ErrnoException).code}`;
    return { subject: 'store', state: 'broken', detail, consequence, remedy: 'Choose another with --root or LAMELLA_ROOT.' };
  }
  const { bavail, bsize, type } = await statfs(root);
  return { subject: 'store', state: 'ok', detail: `${root} (${((bavail * bsize) / 1e9).toFixed(1)} GB free, filesystem 0x${type.toString(16)})` };
}

async function overlay(root: string, store: Finding, served: Finding): Promise<Finding> {
  const consequence = 'Nothing can be run.';
  if (store.state !== 'ok') return { subject: 'overlay', state: 'broken', detail: 'not tried, for there is no store', consequence, remedy: store.remedy ?? '' };
  const unfit = unfitForUpper(root);
  if (unfit !== undefined && served.state === 'ok') return { subject: 'overlay', state: 'ok', detail: `no upper can be on ${unfit}: by fuse-overlayfs` };
  try {
    const features = await inScratch(root, probeFeatures);
    const having = Object.entries(features)
      .filter(([name, has]) => has && name !== 'overlay')
      .map(([name]) => name);
    if (features.overlay) return { subject: 'overlay', state: 'ok', detail: having.join(' ') };
    return {
      subject: 'overlay',
      state: 'broken',
      detail: `an overlay cannot be mounted with its upper in ${root}`,
      consequence,
      remedy: `${unfit === undefined ? 'Load it (modprobe overlay), use' : 'Use'} a --root on ext4, xfs, btrfs or tmpfs${unfit === undefined ? ', and Linux 5.11 or later without root' : ', or fuse-overlayfs, see below'}.`,
    };
  } catch (error) {
    return { subject: 'overlay', state: 'broken', consequence, ...told(error) };
  }
}

/** A directory that is locked. */
interface LockedScratch {
  readonly lock: HeldLock;
  readonly scratch: string;
}

/**
 * Make a directory and lock it. The gate, if there is one, keeps sweeps away between the two; a store without a gate has never been swept. If
 * one came meanwhile, a first sweep may be removing the directory: then another is made, behind the gate.
 */
async function locked(containers: string): Promise<LockedScratch> {
  const gate = gateOf(containers);
  const isGated = existsSync(gate);
  await using _closed = isGated ? await lockFile(gate, { shared: true }) : undefined;
  const scratch = path.join(containers, `doctor-${randomUUID()}`);
  makeDirectory(scratch);
  const isSwept = (): boolean => !isGated && existsSync(gate);
  try {
    const lock = await lockFile(path.join(scratch, 'lock'));
    if (!isSwept()) return { lock, scratch };
    await lock[Symbol.asyncDispose]();
  } catch (error) {
    if (!isSwept()) {
      await removeScratch(scratch);
      throw error;
    }
  }
  await removeScratch(scratch);
  return await locked(containers);
}

/** Work in a directory of the store that is a container like any other to sweep: alive as long as its lock is held, gone after a kill. */
async function inScratch<Result>(root: string, work: (directory: string) => Promise<Result>): Promise<Result> {
  const { lock, scratch } = await locked(path.join(root, 'containers'));
  try {
    await using _alive = lock;
    return await work(scratch);
  } finally {
    await removeScratch(scratch);
  }
}

/** The path of a program that serves containers, or why it cannot be tried. @param deb the package that has it */
function installed(name: string, deb: string, store: Finding): string | Pick<Finding, 'detail' | 'remedy'> {
  const program = findProgram(name);
  if (program === undefined) return { detail: `${name} is not in the PATH`, remedy: `apt-get install ${deb}.` };
  return store.state === 'ok' ? program : { detail: 'not tried, for there is no store', remedy: store.remedy ?? '' };
}

/** What joins layers where overlayfs can have no upper. */
async function fuse(root: string, store: Finding): Promise<Finding> {
  const subject = 'fuse';
  const consequence = 'Nothing can be run from a store where overlayfs has no upper: on NFS, or inside of another container.';
  const program = installed('fuse-overlayfs', 'fuse-overlayfs', store);
  if (typeof program !== 'string') return { subject, state: 'missing', consequence, ...program };
  try {
    await inScratch(root, async (directory) => {
      const [lower, upperdir, workdir] = ['lower', 'upper', 'work'].map((name) => path.join(directory, name)) as [string, string, string];
      const slots = slotAllocator();
      const mount = slots();
      await run([
        ...ownMountNamespace(),
        fuseOverlayAtExit,
        ...[lower, upperdir, workdir].map((pathname): Op => ({ op: 'mkdirat', dirfd: AT_FDCWD, pathname, mode: 0o755 })),
        ...overlayDetached({ lowerdirs: [lower], upperdir, workdir, fuse: { program, allowOther: true } }, mount, slots),
        { op: 'mkdirat', dirfd: mount, pathname: 'tried', mode: 0o755 },
      ]);
    });
    return { subject, state: 'ok', detail: program };
  } catch (error) {
    if (error instanceof SyscallError && error.op.op === 'openat' && error.op.pathname === FUSE_DEVICE)
      return {
        subject,
        state: 'missing',
        detail: `${FUSE_DEVICE} cannot be opened: ${error.code}`,
        consequence,
        remedy: `modprobe fuse; chmod 666 ${FUSE_DEVICE}; or --device ${FUSE_DEVICE} of the container around.`,
      };
    return { subject, state: 'missing', consequence, ...told(error), remedy: `Try it by hand: ${program} -f -o lowerdir=A,upperdir=B,workdir=C D.` };
  }
}

/** Ids of their own for containers: root mounts what maps them, others need who shows files with them. */
async function mappedIds(root: string, store: Finding, served: Finding): Promise<Finding[]> {
  if (idMapping().kind === 'single' || store.state !== 'ok') return [];
  const subject = 'mapped ids';
  if (idMapping().kind === 'full' || unfitForUpper(root) !== undefined || !mapsIds(root)) {
    if (served.state === 'ok') return [{ subject, state: 'ok', detail: 'run --userns auto, by fuse-overlayfs' }];
    return [{ ...served, subject, consequence: 'run --userns auto fails: containers share the ids of who starts them.' }];
  }
  const slots = slotAllocator();
  const userns = slots();
  try {
    await run([makeUserNamespace(range(524_288, 524_288, 65_536), userns), ...ownMountNamespace(), ...mapOntoItself(root, userns, slots)]);
    return [{ subject, state: 'ok', detail: 'run --userns auto' }];
  } catch (error) {
    return [
      {
        subject,
        state: 'missing',
        ...told(error),
        consequence: "run --userns auto fails: root's containers share the ids of the host.",
        remedy: `Linux 5.19 or later, and a store on ext4, xfs or btrfs (tmpfs since 6.3), where ${root} is not.`,
      },
    ];
  }
}

async function cgroup(): Promise<Finding> {
  const version = cgroupVersion();
  const consequence = 'Limits on memory, processors and processes cannot be set.';
  try {
    const { create, directories } = planCgroup({ pidsLimit: 10 }, { name: `doctor-${randomUUID()}` }, slotAllocator());
    const remove = directories.map((pathname): Op => ({ op: 'unlinkat', dirfd: AT_FDCWD, pathname, flags: AT.REMOVEDIR }));
    await run([{ op: 'on_exit', program: remove }, ...create]);
    return {
      subject: 'cgroup',
      state: 'ok',
      detail: `v${version}, limits can be set${canLimitByDefault() ? '; processes are limited to 2048 by default' : ''}`,
    };
  } catch (error) {
    return { subject: 'cgroup', state: 'missing', consequence, ...told(error) };
  }
}

/** What connects containers with the network. */
async function pasta(root: string, store: Finding): Promise<Finding> {
  const subject = 'pasta';
  const consequence = "run --network pasta fails: containers have no network, or the host's.";
  const program = installed('pasta', 'passt', store);
  if (typeof program !== 'string') return { subject, state: 'missing', consequence, ...program };
  try {
    await inScratch(root, async (directory) => {
      const slots = slotAllocator();
      const lead = idMapping().kind === 'host' ? [] : ownMountNamespace();
      await run([...lead, ...pastaNetwork(directory, [], slots(), slots), END_SERVED]);
    });
    return { subject, state: 'ok', detail: program };
  } catch (error) {
    if (!(error instanceof SyscallError && explainPasta(error))) return { subject, state: 'missing', consequence, ...told(error) };
    const device = await access('/dev/net/tun', constants.R_OK | constants.W_OK).then(
      () => '',
      (refused: NodeJS.ErrnoException) => `; /dev/net/tun cannot be opened: ${refused.code}`,
    );
    return {
      subject,
      state: 'missing',
      detail: `${program} ends before it is ready${device}`,
      consequence,
      remedy: 'modprobe tun; chmod 666 /dev/net/tun; a default route of the host. What it says itself: pasta --config-net -- true.',
    };
  }
}

function xz(): Finding {
  const file = findProgram('xz');
  if (file) return { subject: 'xz', state: 'ok', detail: file };
  return {
    subject: 'xz',
    state: 'missing',
    detail: 'not in the PATH',
    consequence: 'Archives compressed with xz cannot be imported.',
    remedy: 'apt-get install xz-utils.',
  };
}

function told(error: unknown): Pick<Finding, 'detail' | 'remedy'> {
  if (error instanceof LamellaError || error instanceof NamespaceError) return { detail: error.message, ...(error.hint ? { remedy: error.hint } : {}) };
  throw error;
}
