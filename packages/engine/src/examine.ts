import { access, constants, mkdir, readFile, statfs } from 'node:fs/promises';
import { release } from 'node:os';
import path from 'node:path';
import { NamespaceError, type Namespaces } from '@lamella/namespace';
import { probeFeatures } from '@lamella/overlay';
import { CLONE, interpreterPath, LamellaError, mapSingleId, type Program, run } from '@lamella/syscall';

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
  const findings = [kernel(), await interpreter(), await namespaces(), await store(root)];
  findings.push(...(await overlay(root)), await cgroup(), await xz());
  return findings;
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
    await run([]);
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
      remedy: 'sysctl kernel.unprivileged_userns_clone=1, user.max_user_namespaces above 0, kernel.apparmor_restrict_unprivileged_userns=0.',
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

async function store(root: string): Promise<Finding> {
  try {
    await mkdir(path.join(root, 'containers'), { recursive: true, mode: 0o700 });
    await access(root, constants.W_OK);
    const { bavail, bsize, type } = await statfs(root);
    return { subject: 'store', state: 'ok', detail: `${root} (${((bavail * bsize) / 1e9).toFixed(1)} GB free, filesystem 0x${type.toString(16)})` };
  } catch (error) {
    return {
      subject: 'store',
      state: 'broken',
      detail: `${root}: ${(error as NodeJS.ErrnoException).code}`,
      consequence: 'Nothing can be imported or run.',
      remedy: 'Choose another with --root or LAMELLA_ROOT.',
    };
  }
}

async function overlay(root: string): Promise<Finding[]> {
  try {
    const features = await probeFeatures(path.join(root, 'containers'));
    const having = Object.entries(features)
      .filter(([name, has]) => has && name !== 'overlay')
      .map(([name]) => name);
    if (features.overlay) return [{ subject: 'overlay', state: 'ok', detail: having.join(' ') }];
    return [
      {
        subject: 'overlay',
        state: 'broken',
        detail: `an overlay cannot be mounted with its upper in ${root}`,
        consequence: 'Nothing can be run.',
        remedy: 'Load it (modprobe overlay), use a --root on ext4, xfs, btrfs or tmpfs, and Linux 5.11 or later without root.',
      },
    ];
  } catch (error) {
    return [{ subject: 'overlay', state: 'broken', ...told(error) }];
  }
}

async function cgroup(): Promise<Finding> {
  const mounts = await readFile('/proc/self/mountinfo', 'utf8');
  const v2 = / - cgroup2 /.test(mounts);
  const v1 = / - cgroup /.test(mounts);
  const detail = v2 && v1 ? 'hybrid (v1 with a v2 beside it)' : v2 ? 'v2' : v1 ? 'v1' : 'none';
  return { subject: 'cgroup', state: v1 || v2 ? 'ok' : 'missing', detail };
}

async function xz(): Promise<Finding> {
  for (const directory of (process.env.PATH ?? '').split(':')) {
    const file = path.join(directory, 'xz');
    const found = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return { subject: 'xz', state: 'ok', detail: file };
  }
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
