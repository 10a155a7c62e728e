import { IOCTL, type Program, type SlotAllocator } from '@lamella/syscall';

const AF_INET = 2;
const SOCK_DGRAM_CLOEXEC = 0o2000002;
const IFF_UP_RUNNING = 0x41;

/** Sets `lo` of a new network namespace up (netdevice(7)). */
export function loopbackUp(slots: SlotAllocator): Program {
  const socket = slots();
  const ifreq = Buffer.alloc(40);
  ifreq.write('lo');
  ifreq.writeInt16LE(IFF_UP_RUNNING, 16);
  return [
    { op: 'socket', domain: AF_INET, type: SOCK_DGRAM_CLOEXEC, protocol: 0, out: socket },
    { op: 'ioctl', fd: socket, request: IOCTL.SIOCSIFFLAGS, argument: 0, argp: ifreq },
    { op: 'close', fd: socket },
  ];
}
