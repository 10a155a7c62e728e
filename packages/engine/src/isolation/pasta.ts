import path from 'node:path';
import { prctl, raiseAmbient, setCapabilities } from '@lamella/namespace';
import {
  AT_FDCWD,
  findProgram,
  idMapping,
  MS,
  O,
  type Op,
  PR,
  type Program,
  S_IF,
  type SlotAllocator,
  type SyscallError,
  serve,
  servingProgram,
} from '@lamella/syscall';
import { EngineError } from '../model/engine-error.js';
import type { PublishedPort } from '../model/published-port.js';
import { asRootOf, makeUserNamespace, range } from './userns.js';

/** Where a container with such a network asks for names: pasta passes that on to the resolver of the host. */
export const NAME_SERVER = '169.254.1.1';

/** How long pasta may take to be ready, in milliseconds. */
const PATIENCE = 10_000;
const [SIGTERM, NOBODY] = [15, 65_534] as const;
/** Ports from here on are everybody's, unless the host says otherwise (ip_unprivileged_port_start, ip(7)). */
const FIRST_FOR_EVERYBODY = 1024;
/** Descriptors of known numbers, so that paths can name them. */
const [NETNS, USERNS] = [500, 501];
/** What pasta is shown of the host's files beside: in its own mount namespace, over a directory that is everywhere. */
const SHOWN = '/tmp';

/**
 * Ops that make a network namespace and connect it with the host's network by pasta(1), which needs no rights on the host; it is in the slot `out`
 * then. Pasta runs in the user namespace that this namespace belongs to, and, for root, as nobody: as the host's root it
 * does not run. It goes in by itself when it listens, for ports below 1024 need a right on the host (CAP_NET_BIND_SERVICE) that nobody has
 * inside; it has that until then, where such a port is published. The container has the addresses of the host, reaches what the host reaches, but not the host's own loopback, and is reached by published ports only.
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
  // Made by the user `nobody`: otherwise root in the container, with whatever capabilities, would have all of them over its network
  // (user_namespaces(7)).
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
          ...(isRoot ? ['--userns', `${SHOWN}/userns`] : []),
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
          ...(isRoot
            ? [{ op: 'dup3', fd: userns, newfd: USERNS, flags: 0 } as const, file(`${SHOWN}/userns`), bind(`/proc/self/fd/${USERNS}`, `${SHOWN}/userns`)]
            : []),
          // The directory itself may be behind what was just mounted.
          { op: 'fchdir', fd: place },
          bind('network', `${SHOWN}/ready`),
          { op: 'chdir', path: '/' },
          { op: 'close_range', first: NETNS, last: USERNS, flags: 0 },
          ...(isRoot ? asNobody(ports.some(({ hostPort }) => hostPort < FIRST_FOR_EVERYBODY)) : []),
        ],
      },
      slots,
    ),
    ...(isRoot ? [{ op: 'close', fd: userns } as const] : []),
    { op: 'await_served', fd: ready, milliseconds: PATIENCE },
    { op: 'close', fd: ready },
  ];
}

/** Returns ops that drop root's rights, except that of listening on any port where it is needed. */
function asNobody(listensBelow: boolean): Program {
  return [
    { op: 'setgroups', list: [] },
    { op: 'setresgid', rgid: NOBODY, egid: NOBODY, sgid: NOBODY },
    ...(listensBelow ? [prctl(PR.SET_KEEPCAPS, 1)] : []),
    { op: 'setresuid', ruid: NOBODY, euid: NOBODY, suid: NOBODY },
    ...(listensBelow ? [setCapabilities(['NET_BIND_SERVICE'], ['NET_BIND_SERVICE']), raiseAmbient('NET_BIND_SERVICE')] : []),
  ];
}

/** What the failure of one of these ops means; undefined of any other. */
export function explainPasta(cause: SyscallError): EngineError | undefined {
  if (cause.op.op !== 'await_served' && !(cause.server && servingProgram(cause.server).endsWith('/pasta'))) return undefined;
  return new EngineError({
    code: 'PASTA_FAILED',
    message: 'pasta could not connect the container with the network, or has ended',
    hint: 'It needs /dev/net/tun, open to all users (chmod 666), a default route of the host, and published ports that are free. To see its error: pasta --config-net -- true',
    cause,
  });
}
