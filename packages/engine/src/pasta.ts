import path from 'node:path';
import {
  AT_FDCWD,
  CLONE,
  findProgram,
  idMapping,
  MS,
  O,
  type Op,
  type Program,
  S_IF,
  type SlotAllocator,
  type SyscallError,
  serve,
  servingProgram,
} from '@lamella/syscall';
import { EngineError } from './engine-error.js';
import { asRootOf, makeUserNamespace, range } from './userns.js';

/** A port of the host that leads into a container. */
export interface PublishedPort {
  /** Of the host; all of its addresses when missing. */
  readonly address?: string;
  readonly hostPort: number;
  readonly containerPort: number;
  readonly protocol: 'tcp' | 'udp';
}

/** Where a container with such a network asks for names: pasta passes that on to the resolver of the host. */
export const NAME_SERVER = '169.254.1.1';

/** How long pasta may take to be ready, in milliseconds. */
const PATIENCE = 10_000;
const [SIGTERM, NOBODY] = [15, 65_534] as const;
/** A descriptor of a known number, so that a path can name it. */
const NETNS = 500;
/** What pasta is shown of the host's files beside: in its own mount namespace, over a directory that is everywhere. */
const SHOWN = '/tmp';

/**
 * Ops that make a network namespace and connect it with the host's network by pasta(1), which needs no rights on the host; it is in the slot `out`
 * then. Pasta runs in the user namespace that this namespace belongs to, and, for root, as nobody: as the host's root it
 * does not run. The container has the addresses of the host, reaches what the host reaches, but not the host's own loopback, and is reached by published ports only.
 *
 * @param directory absolute path of one that is there already, where this user may make a fifo
 * @throws EngineError `PASTA_MISSING`
 */
export function pastaNetwork(directory: string, ports: readonly PublishedPort[], out: number, slots: SlotAllocator): Program {
  const pasta = findProgram('pasta');
  if (pasta === undefined)
    throw new EngineError({
      code: 'PASTA_MISSING',
      message: 'pasta, which connects a container with the network, is not installed',
      hint: 'apt-get install passt.',
    });
  const isRoot = idMapping().kind === 'host';
  // Made by nobody: else whoever is root in the container, with whatever capabilities, would have all of them over its network (user_namespaces(7)).
  const nobody = range(NOBODY, NOBODY, 1);
  const [userns, ready, place] = [slots(), slots(), slots()];
  const fifo = path.join(directory, 'network');
  const specs = (protocol: PublishedPort['protocol']): string[] => {
    const own = ports.filter((port) => port.protocol === protocol);
    const flag = protocol === 'tcp' ? '-t' : '-u';
    if (!own.length) return [flag, 'none'];
    return own.flatMap(({ address, hostPort, containerPort }) => [flag, `${address === undefined ? '' : `${address}/`}${hostPort}:${containerPort}`]);
  };
  const file = (pathname: string): Op => ({ op: 'mknodat', dirfd: AT_FDCWD, pathname, mode: S_IF.IFREG | 0o644, major: 0, minor: 0 });
  const bind = (source: string, target: string): Op => ({ op: 'mount', source, target, filesystemtype: null, mountflags: MS.BIND, data: null });
  return [
    { op: 'mknodat', dirfd: AT_FDCWD, pathname: fifo, mode: S_IF.IFIFO | 0o666, major: 0, minor: 0, ignore: ['EEXIST'] },
    { op: 'fchmodat', dirfd: AT_FDCWD, pathname: fifo, mode: 0o666 },
    { op: 'openat', dirfd: AT_FDCWD, pathname: fifo, flags: O.RDONLY | O.NONBLOCK | O.CLOEXEC, mode: 0, out: ready },
    ...(isRoot ? asRootOf(nobody, [makeUserNamespace(nobody, userns)]) : []),
    { op: 'netns', userns_fd: isRoot ? userns : -1, out },
    serve(
      {
        argv: [
          pasta,
          ...['--foreground', '--quiet', '--config-net', '--no-map-gw'],
          ...['--pid', `${SHOWN}/ready`, '--netns', `${SHOWN}/netns`, '--dns-forward', NAME_SERVER],
          ...specs('tcp'),
          ...specs('udp'),
          // Nothing of the host's loopback is in the container's.
          ...['-T', 'none', '-U', 'none'],
        ],
        signal: SIGTERM,
        diesWith: SIGTERM,
        before: [
          { op: 'mount', source: null, target: '/', filesystemtype: null, mountflags: MS.REC | MS.PRIVATE, data: null },
          { op: 'dup3', fd: out, newfd: NETNS, flags: 0 },
          { op: 'openat', dirfd: AT_FDCWD, pathname: directory, flags: O.PATH | O.DIRECTORY | O.CLOEXEC, mode: 0, out: place },
          { op: 'mount', source: 'tmpfs', target: SHOWN, filesystemtype: 'tmpfs', mountflags: MS.NOSUID | MS.NODEV, data: 'size=64k,mode=755' },
          file(`${SHOWN}/netns`),
          file(`${SHOWN}/ready`),
          bind(`/proc/self/fd/${NETNS}`, `${SHOWN}/netns`),
          // The directory itself may be behind what was just mounted.
          { op: 'fchdir', fd: place },
          bind('network', `${SHOWN}/ready`),
          { op: 'chdir', path: '/' },
          { op: 'close_range', first: NETNS, last: NETNS, flags: 0 },
          ...(isRoot
            ? ([
                { op: 'setns', fd: userns, nstype: CLONE.NEWUSER },
                { op: 'setgroups', list: [] },
                { op: 'setresgid', rgid: 0, egid: 0, sgid: 0 },
                { op: 'setresuid', ruid: 0, euid: 0, suid: 0 },
              ] as const)
            : []),
        ],
      },
      slots,
    ),
    ...(isRoot ? [{ op: 'close', fd: userns } as const] : []),
    { op: 'await_served', fd: ready, milliseconds: PATIENCE },
    { op: 'close', fd: ready },
  ];
}

/** What the failure of one of these ops means; undefined of any other. */
export function explainPasta(cause: SyscallError): EngineError | undefined {
  if (cause.op.op !== 'await_served' && !(cause.server && servingProgram(cause.server).endsWith('/pasta'))) return undefined;
  return new EngineError({
    code: 'PASTA_FAILED',
    message: 'pasta could not connect the container with the network, or has ended',
    hint: 'It needs /dev/net/tun, open to everybody (chmod 666), a default route of the host, and published ports that nobody else has. What it says: pasta --config-net -- true',
    cause,
  });
}
