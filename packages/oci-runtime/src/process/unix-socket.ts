import path from 'node:path';
import type { Op } from '@lamella/syscall';

const SOCK_STREAM_CLOEXEC = 0o2000001;
const AF_UNIX = 1;

/** Returns the ops that connect to a socket, from its directory: the path in an address has at most 107 bytes (unix(7)). */
export function connectSocket(file: string, out: number): Op[] {
  return [
    { op: 'socket', domain: AF_UNIX, type: SOCK_STREAM_CLOEXEC, protocol: 0, out },
    { op: 'chdir', path: path.dirname(file) },
    { op: 'connect', fd: out, pathname: path.basename(file) },
    { op: 'chdir', path: '/' },
  ];
}
