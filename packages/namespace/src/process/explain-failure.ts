import { constants } from 'node:os';
import { type FrontReport, MOVE_MOUNT, type Op, outcomeOf, type Reply, type RunResult, SyscallError } from '@lamella/syscall';
import type { NamespaceErrorCode } from '../model/error-codes.js';
import { NamespaceError } from '../model/namespace-error.js';
import { exceededLimit } from './explain-too-long.js';

/**
 * What came of a program that a front ran ({@link becomeFront} in @lamella/syscall).
 *
 * @throws as the result of {@link launch}
 */
export async function explainFrontReport(report: FrontReport, args: readonly string[]): Promise<RunResult> {
  let denied = false;
  try {
    return await outcomeOf(report, (reply, op) => {
      denied ||= isDenied(reply, op);
    });
  } catch (error) {
    throw explainFailure(error, args, denied);
  }
}

/** A place where the command could have been was closed to us. Other ops may be denied, too, and say nothing of the command. */
export function isDenied(reply: Reply, op: Op | undefined): boolean {
  return reply.kind === 'ignored' && op?.op === 'execve' && reply.errno === constants.errno.EACCES;
}

/** A mount that would have been where it may not be. */
function explainLanding(
  { pathname, exact }: Extract<Op, { readonly op: 'landed' }>,
  code: string,
  make: (code: NamespaceErrorCode, message: string, hint: string) => NamespaceError,
): NamespaceError | undefined {
  const destination = String(pathname);
  const hint = 'The image has a link there. Mount on the path that is meant, or correct the image.';
  if (code === 'ELOOP' && exact) return make('MOUNT_REFUSED', `nothing can be mounted on ${destination} in the container: it is behind a link`, hint);
  if (code === 'EXDEV' || code === 'EBUSY')
    return make(
      'MOUNT_REFUSED',
      `nothing can be mounted on ${destination} in the container: a link leads ${code === 'EBUSY' ? 'to its root' : 'into what confines it, such as /proc, /sys or /dev'}`,
      hint,
    );
  return undefined;
}

/** Returns the error that explains a failed call to the caller who wanted a container. */
export function explainFailure(error: unknown, args: readonly string[], denied: boolean): unknown {
  // What serves a container is not the container's: who has it serve knows what it means.
  if (!(error instanceof SyscallError) || error.server) return error;
  const command = args[0] ?? '';
  const make = (code: NamespaceErrorCode, message: string, hint: string): NamespaceError => new NamespaceError({ code, message, hint, cause: error });
  switch (error.op.op) {
    case 'execve':
      if (error.code === 'ENOENT' && !denied)
        return make(
          'COMMAND_NOT_FOUND',
          `${command}: not found in the container`,
          'It is not in the PATH there, or the loader it needs is missing from the image.',
        );
      if (error.code === 'ENOTDIR' && !denied)
        return make('COMMAND_NOT_FOUND', `${command}: not found in the container`, 'A part of its path is not a directory.');
      if (error.code === 'E2BIG') return make('COMMAND_TOO_LONG', `${command}: ${exceededLimit(error.op)}`, 'Pass long data by stdin or a file.');
      return make(
        'COMMAND_NOT_EXECUTABLE',
        `${command}: cannot be executed in the container: ${denied ? 'EACCES' : error.code}`,
        error.code === 'ENOEXEC' ? 'It is made for another architecture, or a script without a #! line.' : 'Check its mode and owner in the image.',
      );
    case 'clone':
    case 'unshare':
    case 'netns':
      if (error.code === 'EPERM' || error.code === 'ENOSPC' || error.code === 'EUSERS')
        return make(
          'NAMESPACE_BLOCKED',
          `new namespaces are not allowed here: ${error.code}`,
          'Run as root, or allow user namespaces: sysctl kernel.unprivileged_userns_clone=1, user.max_user_namespaces above 0, kernel.apparmor_restrict_unprivileged_userns=0.',
        );
      if (error.code === 'EINVAL') return make('NAMESPACE_UNSUPPORTED', 'this kernel lacks one of the namespaces asked for', 'See `lamella doctor`.');
      return error;
    case 'fsmount':
      if (error.code === 'EPERM')
        return make(
          'MOUNT_MASKED',
          'a fresh /proc or /sys cannot be mounted in this user namespace: EPERM',
          'The one outside has hidden parts, as in Docker or Kubernetes. Run as root there, or unmask it (docker run --security-opt systempaths=unconfined).',
        );
      return error;
    case 'mkpath':
      if (error.code === 'ENOTDIR' || error.code === 'EISDIR')
        return make(
          'MOUNT_TARGET_INVALID',
          `${String(error.op.pathname)} in the container is ${error.code === 'EISDIR' ? '' : 'not '}a directory`,
          'A directory goes on a directory, a file on a file.',
        );
      if (error.code === 'ENOENT' || error.code === 'ELOOP')
        return make(
          'MOUNT_TARGET_INVALID',
          `${String(error.op.pathname)} in the container leads ${error.code === 'ELOOP' ? 'in a circle' : 'to nothing'}: the image has a link there`,
          'Mounts go where links lead inside of the root; this one leads nowhere.',
        );
      if (error.code === 'EROFS')
        return make(
          'MOUNT_TARGET_MISSING',
          `${String(error.op.pathname)} is missing in the container, in what is read-only there`,
          'Create it in the image, or in the volume that it is below.',
        );
      return error;
    case 'move_mount':
      if (!(error.op.flags & MOVE_MOUNT.T_EMPTY_PATH)) return error;
      return make(
        'MOUNT_TARGET_INVALID',
        `what is to be mounted does not fit on what is there in the container: ${error.code}`,
        'A directory goes on a directory, a file on a file.',
      );
    case 'landed':
      return explainLanding(error.op, error.code, make) ?? error;
    case 'covered':
      return make(
        'MASK_FAILED',
        `${String(error.op.pathname)} in the container cannot be ${error.code === 'ESTALE' ? 'hidden, or made read-only' : `looked at: ${error.code}`}`,
        'What is mounted there is of another kind. Mount it elsewhere, or show everything: --privileged.',
      );
    case 'expect_type':
      return make(
        'MOUNT_REFUSED',
        'nothing can be mounted on /proc in the container but a proc filesystem: the source is none',
        'Only -v /proc:/proc is possible, and what is hidden there stays hidden.',
      );
    case 'open_tree':
      if (error.code === 'ENOENT') return make('BIND_SOURCE_MISSING', `${String(error.op.pathname)} does not exist on the host`, 'Create it first.');
      return error;
    case 'setrlimit':
      if (error.code === 'EINVAL') return make('RLIMIT_DENIED', 'a soft limit exceeds its hard limit', 'Raise the hard limit, or lower the soft limit.');
      return make('RLIMIT_DENIED', `a resource limit cannot be set: ${error.code}`, 'Above the hard limit of this process only CAP_SYS_RESOURCE can go.');
    case 'write_file':
      if (error.op.pathname === '/proc/self/oom_score_adj')
        return make(
          'OOM_SCORE_DENIED',
          `the oom_score_adj cannot be ${String(error.op.data)}: ${error.code}`,
          'Below what this process has itself only CAP_SYS_RESOURCE can go.',
        );
      return error;
    case 'seccomp':
      return make(
        'SECCOMP_DENIED',
        `the filter on system calls cannot be set: ${error.code}`,
        'The kernel needs CONFIG_SECCOMP_FILTER; --security-opt seccomp=unconfined goes without.',
      );
    case 'setgroups':
    case 'setresuid':
    case 'setresgid':
      if (error.code === 'EINVAL')
        return make(
          'USER_UNMAPPED',
          'that user does not exist in this user namespace',
          'An ordinary user has one id here, which is root inside; other users need root.',
        );
      return error;
    default:
      return error;
  }
}
