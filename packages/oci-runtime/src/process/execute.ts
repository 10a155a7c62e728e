import { DEFAULT_PATH } from '@lamella/namespace';
import { AT_FDCWD, type Op, type Program } from '@lamella/syscall';
import type { StepReplies } from '../container/steps.js';
import { OciError } from '../errors/oci-error.js';
import { withPurpose } from '../errors/op-purposes.js';

const X_OK = 1;
const NOT_HERE = ['ENOENT', 'ENOTDIR', 'EACCES', 'ELOOP', 'ENAMETOOLONG'];

/** Returns the paths where a command may be: itself, or below each directory of PATH. */
function places(args: readonly string[], env: readonly string[]): string[] {
  const [command = ''] = args;
  if (command.includes('/')) return [command];
  const search = env.findLast((pair) => pair.startsWith('PATH='))?.slice(5) || DEFAULT_PATH;
  return search.split(':').map((place) => `${(place || '.').replace(/\/+$/, '')}/${command}`);
}

/**
 * Returns ops that check, as the user of the process, whether the command can be executed. So `create` can fail before anything has
 * started. {@link checkFound} reads the replies.
 */
export function probeCommand(args: readonly string[], env: readonly string[]): Op[] {
  return withPurpose('process.args', [
    ...places(args, env).map((pathname): Op => ({ op: 'faccessat', dirfd: AT_FDCWD, pathname, mode: X_OK, flags: 0, ignore: NOT_HERE, reply: true })),
  ]);
}

/** Checks the replies of {@link probeCommand}. @throws OciError `COMMAND_NOT_FOUND`, `COMMAND_NOT_EXECUTABLE` */
export function checkFound(args: readonly string[], program: Program, { ignored, values }: StepReplies): void {
  const lookups = program.filter(({ op }) => op === 'faccessat');
  if (!lookups.length || lookups.some((op) => values.has(op))) return;
  const [command = ''] = args;
  const name = JSON.stringify(command);
  if (lookups.some((op) => ignored.get(op) === 'EACCES'))
    throw new OciError({
      code: 'COMMAND_NOT_EXECUTABLE',
      message: `exec: ${name}: permission denied`,
      hint: 'Make the file executable for the user of the process.',
    });
  throw new OciError({
    code: 'COMMAND_NOT_FOUND',
    message: command.includes('/') ? `exec: ${name}: stat ${command}: no such file or directory` : `exec: ${name}: executable file not found in $PATH`,
    hint: 'Check process.args: the command must exist in the container.',
  });
}

/** Returns the ops that execute a command, one per path. */
export function execute(args: readonly string[], env: readonly string[]): Op[] {
  const all = places(args, env);
  return withPurpose(
    `exec ${JSON.stringify(args[0] ?? '')}`,
    all.map((pathname, i): Op => ({ op: 'execve', pathname, argv: args, envp: env, ...(i < all.length - 1 ? { ignore: NOT_HERE } : {}) })),
  );
}
