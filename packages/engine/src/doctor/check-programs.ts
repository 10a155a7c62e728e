import { access, constants } from 'node:fs/promises';
import path from 'node:path';
import { FUSE_DEVICE, fuseOverlayAtExit, overlayDetached } from '@lamella/overlay';
import { AT_FDCWD, END_SERVED, findProgram, idMapping, type Op, ownMountNamespace, run, SyscallError, slotAllocator } from '@lamella/syscall';
import { explainPasta, pastaNetwork } from '../isolation/pasta.js';
import { explained, type Finding } from './finding.js';
import { inScratch } from './scratch.js';

/** The path of a program that serves containers, or why it cannot be tried. @param deb the package that has it */
function findServer(name: string, deb: string, store: Finding): string | Pick<Finding, 'detail' | 'remedy'> {
  const program = findProgram(name);
  if (program === undefined) return { detail: `${name} is not in the PATH`, remedy: `apt-get install ${deb}.` };
  return store.state === 'ok' ? program : { detail: 'not tried, because there is no store', remedy: store.remedy ?? '' };
}

/** What joins layers where overlayfs can have no upper. */
export async function checkFuse(root: string, store: Finding): Promise<Finding> {
  const subject = 'fuse';
  const consequence = 'Nothing can be run from a store where overlayfs has no upper: on NFS, or inside of another container.';
  const program = findServer('fuse-overlayfs', 'fuse-overlayfs', store);
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
    return { subject, state: 'missing', consequence, ...explained(error), remedy: `Try it by hand: ${program} -f -o lowerdir=A,upperdir=B,workdir=C D.` };
  }
}

/** What connects containers with the network. */
export async function checkPasta(root: string, store: Finding): Promise<Finding> {
  const subject = 'pasta';
  const consequence = "run --network pasta fails: containers have no network, or the host's.";
  const program = findServer('pasta', 'passt', store);
  if (typeof program !== 'string') return { subject, state: 'missing', consequence, ...program };
  try {
    await inScratch(root, async (directory) => {
      const slots = slotAllocator();
      const lead = idMapping().kind === 'host' ? [] : ownMountNamespace();
      await run([...lead, ...pastaNetwork(directory, [], slots(), slots), END_SERVED]);
    });
    return { subject, state: 'ok', detail: program };
  } catch (error) {
    if (!(error instanceof SyscallError && explainPasta(error))) return { subject, state: 'missing', consequence, ...explained(error) };
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

export function checkXz(): Finding {
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
