import { type Op, run } from '@lamella/syscall';
import { withPurpose } from '../errors/op-purposes.js';
import { connectSocket } from './unix-socket.js';

interface ListenerToSend {
  readonly pid: number;
  readonly targetfd: number;
  readonly path: string;
  readonly metadata: string | undefined;
  readonly state: Record<string, unknown>;
}

/** Sends the listener of a seccomp filter to the socket of the agent. */
export async function sendListener({ pid, targetfd, path: socketPath, metadata, state }: ListenerToSend): Promise<void> {
  const [pidfd, listener, socket] = [5, 6, 7];
  const data = JSON.stringify({ ociVersion: state.ociVersion, fds: ['seccompFd'], pid, ...(metadata === undefined ? {} : { metadata }), state });
  const program: Op[] = withPurpose(`linux.seccomp.listenerPath ${socketPath}`, [
    { op: 'pidfd_open', pid, flags: 0, out: pidfd },
    { op: 'pidfd_getfd', fd: pidfd, targetfd, flags: 0, out: listener },
    ...connectSocket(socketPath, socket),
    { op: 'send_fd', fd: socket, passed: listener, data },
  ]);
  await run(program);
}
