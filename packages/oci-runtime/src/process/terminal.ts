import { openDevpts, TTY_GROUP } from '@lamella/namespace';
import type { Op, SlotAllocator } from '@lamella/syscall';
import type { OciLinux, OciProcess } from '../config/schema.js';
import { isMapped } from '../container/id-maps.js';
import { OciError } from '../errors/oci-error.js';
import { withPurpose } from '../errors/op-purposes.js';
import type { Console } from '../model/console.js';
import { consoleOps } from '../mounts/devices.js';
import { connectSocket } from './unix-socket.js';

/** Checks that a console is given exactly if the process has a terminal. @throws OciError `CONSOLE_MISSING`, `CONSOLE_UNUSED` */
export function checkConsole(spec: OciProcess | undefined, where: Console): void {
  if (spec?.terminal && !where)
    throw new OciError({
      code: 'CONSOLE_MISSING',
      message: 'the process has a terminal, but --console-socket is missing',
      hint: 'Pass a listening Unix socket with --console-socket FILE, or set process.terminal to false.',
    });
  if (where && 'socket' in where && !spec?.terminal)
    throw new OciError({
      code: 'CONSOLE_UNUSED',
      message: '--console-socket requires a process with a terminal',
      hint: 'Remove --console-socket, or set process.terminal to true.',
    });
}

/**
 * Returns the ops that open a terminal in the container's devpts and send its master: those before the container's namespaces are
 * entered, and those inside.
 *
 * @param console whether the terminal is /dev/console too
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
    outside: toSocket ? withPurpose(`--console-socket ${where.socket}`, connectSocket(where.socket, socket)) : [],
    inside: [
      ...withPurpose('the terminal (process.terminal requires a devpts mount at /dev/pts)', [openDevpts(root, devpts)]),
      ...withPurpose('the terminal', [
        { op: 'pty', dirfd: devpts, rows: height, columns: width, owner: uid, group, out: slave, master: toSocket ? master : -1 },
        { op: 'close', fd: devpts },
      ]),
      ...(toSocket ? handOver(socket, master) : []),
      ...(console ? consoleOps(slave, { slots, root }) : []),
    ],
  };
}

/** Returns the ops that send the master of a terminal to a socket. */
function handOver(socket: number, master: number): Op[] {
  return withPurpose('--console-socket', [
    { op: 'send_fd', fd: socket, passed: master, data: '/dev/ptmx' },
    { op: 'close', fd: master },
    { op: 'close', fd: socket },
  ]);
}
