import type { LamellaError, SyscallError } from '@lamella/syscall';
import { EngineError } from '../model/engine-error.js';
import type { EngineErrorCode } from '../model/error-codes.js';

/** What failed, for a message. */
export interface Attempted {
  readonly args: readonly string[];
  readonly cwd: string;
  /** Absolute path of the store. */
  readonly root: string;
}

/** Returns an error of a run in the words of a command that is tried on this machine: the user knows of neither an image nor a container. */
export function explainTryFailure(error: unknown, { args, cwd, root }: Attempted): unknown {
  // By its shape: in a bundle, code that is loaded late has separate classes.
  if (!isOurs(error)) return error;
  if ('syscall' in error) return unexplained(error as SyscallError);
  const command = args[0] ?? '';
  const say = (code: EngineErrorCode, message: string, hint: string): EngineError => new EngineError({ code, message, hint, cause: error });
  const { code } = error;
  switch (code) {
    case 'COMMAND_NOT_FOUND':
      return say(
        code,
        `${command}: not found`,
        command.includes('/') ? 'Check the path, and the interpreter that the file names: head -n 1, or ldd.' : `It is not in your PATH. ${asLine(args)}`,
      );
    case 'COMMAND_NOT_EXECUTABLE': {
      const why = /E[A-Z]+$/.exec(error.message)?.[0] ?? 'it is no program';
      // Some directory of the PATH is closed, and it may be there.
      if (!command.includes('/') && why === 'EACCES')
        return say(code, `${command}: not found, or closed to you: ${why}`, `It is in no directory of your PATH that you may enter. ${asLine(args)}`);
      const noProgram = 'It is made for another architecture, or a script without a #! line.';
      return say(
        code,
        `${command}: cannot be executed: ${why}`,
        why === 'ENOEXEC' ? noProgram : 'Check its mode, and those of the directories above it: ls -ld',
      );
    }
    case 'MOUNT_TARGET_INVALID':
    case 'MOUNT_TARGET_MISSING': {
      const [at = cwd] = error.message.split(' in the container ');
      const where = at === cwd ? 'Start from another directory: cd / && lamella try …' : 'It has changed this very moment: try again.';
      return say(code, `${at} cannot be shown to the command`, where);
    }
    case 'BIND_SOURCE_MISSING':
    case 'OVERLAY_DIRECTORY_MISSING':
    case 'OVERLAY_LOCKED_MOUNTS':
      return say(code, `this machine has changed while it was looked at: ${error.message}`, 'Try again.');
    case 'CONTAINER_RUNNING':
      return say(
        code,
        'another command is running on these changes',
        `Wait for its end, or take another directory for -D. lamella ps --root ${root} lists it.`,
      );
    case 'NO_SPACE':
      return say(code, `no space is left below ${root}`, 'Free some, or keep the changes elsewhere: -D DIR, or --root DIR.');
    case 'FUSE_UNFIT':
    case 'OVERLAY_UPPER_UNSUPPORTED':
      return say(
        code,
        `changes cannot be kept in ${root}: the kernel’s overlayfs has no upper there`,
        'Keep them on ext4, xfs, btrfs or tmpfs: -D DIR, or --root DIR.',
      );
    default:
      return error;
  }
}

function asLine(args: readonly string[]): string {
  return `What only your shell knows goes into one argument: lamella try '${args.join(' ').replaceAll("'", "'\\''")}'`;
}

function isOurs(error: unknown): error is LamellaError {
  const { code, hint } = error as { code?: unknown; hint?: unknown };
  return error instanceof Error && typeof code === 'string' && (typeof hint === 'string' || 'op' in error);
}

/** A call that nobody can say more about, with the path that it was for. */
function unexplained(error: SyscallError): EngineError {
  const op = error.op as unknown as Readonly<Record<string, unknown>>;
  const paths = ['pathname', 'oldpath', 'target', 'path', 'source']
    .map((field) => op[field])
    .filter((each) => typeof each === 'string' || each instanceof Uint8Array);
  const at = paths.map((each) => Buffer.from(each as Uint8Array).toString()).find((each) => each.startsWith('/'));
  return new EngineError({
    code: 'TRY_FAILED',
    message: `the command cannot be started: ${error.syscall}${at === undefined ? '' : ` of ${at}`}: ${error.code}`,
    hint: 'lamella doctor tells what is missing on this machine.',
    cause: error,
  });
}
