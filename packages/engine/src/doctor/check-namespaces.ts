import { readFile } from 'node:fs/promises';
import type { Namespaces } from '@lamella/namespace';
import { CLONE, type IdRange, idMapping, LamellaError, mapSingleId, type Program, run, runInUserNamespace } from '@lamella/syscall';
import { explained, type Finding } from './finding.js';

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

const NAMES: readonly (readonly [keyof Namespaces | 'mount', number])[] = [
  ['mount', CLONE.NEWNS],
  ['pid', CLONE.NEWPID],
  ['uts', CLONE.NEWUTS],
  ['ipc', CLONE.NEWIPC],
  ['net', CLONE.NEWNET],
  ['cgroup', CLONE.NEWCGROUP],
  ['time', CLONE.NEWTIME],
];

export async function checkNamespaces(): Promise<Finding> {
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

export async function checkSubordinateIds(): Promise<Finding> {
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
    return { subject, state: 'broken', consequence: 'Nothing can be imported or run.', ...explained(error) };
  }
  const sum = (ranges: readonly IdRange[]): number => ranges.reduce((total, { count }) => total + count, 0);
  return { subject, state: 'ok', detail: `${sum(mapping.uids)} users and ${sum(mapping.gids)} groups beside your own` };
}
