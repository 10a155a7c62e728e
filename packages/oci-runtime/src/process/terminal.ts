import path from 'node:path';
import type { Op, SlotAllocator } from '@lamella/syscall';
import type { OciLinux, OciProcess } from '../config/schema.js';
import { isMapped } from '../id-maps.js';
import { console as consoleOps, openDevpts } from '../mounts/devices.js';
import { said } from '../said.js';

const SOCK_STREAM_CLOEXEC = 0o2000001;
const AF_UNIX = 1;
/** The group of terminals in every distribution. */
const TTY_GROUP = 5;

/** Where the terminal of a process goes: to who listens on a socket, or to the monitor, which is this command's own. */
export type Console = { readonly socket: string } | { readonly monitor: number } | undefined;

/**
 * Ops that open a terminal in the container's devpts, and hand its master over: those before the container's namespaces
 * are entered, and those in them.
 *
 * @param console whether it is shown as /dev/console, too
 */
export function terminalOps(
  spec: OciProcess | undefined,
  linux: OciLinux | undefined,
  where: Console,
  { slots, root, slave, console }: { readonly slots: SlotAllocator; readonly root: number; readonly slave: number; readonly console: boolean },
): { readonly outside: Op[]; readonly inside: Op[] } {
  if (!spec?.terminal || !where) return { outside: [], inside: [] };
  const [socket, devpts, master] = [slots(), slots(), slots()];
  const { height = 0, width = 0 } = spec.consoleSize ?? {};
  const { uid = 0, gid = 0 } = spec.user ?? {};
  const group = isMapped(linux?.gidMappings, TTY_GROUP) ? TTY_GROUP : gid;
  const toSocket = 'socket' in where;
  return {
    outside: toSocket ? connectConsole(where.socket, socket) : [],
    inside: [
      ...openDevpts(root, devpts),
      ...said('the terminal', [
        { op: 'pty', dirfd: devpts, rows: height, columns: width, owner: uid, group, out: slave, master: toSocket ? master : -1 },
        { op: 'close', fd: devpts },
      ]),
      ...(toSocket ? handOver(socket, master) : []),
      ...(console ? consoleOps(slave, { slots, root }) : []),
    ],
  };
}

/** A socket's path has at most 107 bytes: it is named from its directory. */
export function connectConsole(file: string, socket: number): Op[] {
  return said(`--console-socket ${file}`, [
    { op: 'socket', domain: AF_UNIX, type: SOCK_STREAM_CLOEXEC, protocol: 0, out: socket },
    { op: 'chdir', path: path.dirname(file) },
    { op: 'connect', fd: socket, pathname: path.basename(file) },
    { op: 'chdir', path: '/' },
  ]);
}

/** The master of a terminal, to who listens there. */
function handOver(socket: number, master: number): Op[] {
  return said('--console-socket', [
    { op: 'send_fd', fd: socket, passed: master, data: '/dev/ptmx' },
    { op: 'close', fd: master },
    { op: 'close', fd: socket },
  ]);
}
