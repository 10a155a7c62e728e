import { DEFAULT_PATH } from '@lamella/namespace';
import { AT_FDCWD, type Op, type Program } from '@lamella/syscall';
import type { StepReplies } from '../container/steps.js';
import { OciError } from '../errors/oci-error.js';
import { withPurpose } from '../errors/op-purposes.js';

const X_OK = 1;
const NOT_HERE = ['ENOENT', 'ENOTDIR', 'EACCES', 'ELOOP', 'ENAMETOOLONG'];

/** Where a command may be: itself, or below each directory of PATH. */
function places(args: readonly string[], env: readonly string[]): string[] {
  const [command = ''] = args;
  if (command.includes('/')) return [command];
  const search = env.findLast((pair) => pair.startsWith('PATH='))?.slice(5) || DEFAULT_PATH;
  return search.split(':').map((place) => `${(place || '.').replace(/\/+$/, '')}/${command}`);
}

/**
 * Ops that ask whether the command can be executed, as the user that it will be; that it cannot is known before
 * anything has started. {@link checkFound} reads what came of it.
 */
export function probeCommand(args: readonly string[], env: readonly string[]): Op[] {
  return withPurpose('process.args', [
    ...places(args, env).map((pathname): Op => ({ op: 'faccessat', dirfd: AT_FDCWD, pathname, mode: X_OK, flags: 0, ignore: NOT_HERE, reply: true })),
  ]);
}

/** @throws OciError `COMMAND_NOT_FOUND`, `COMMAND_NOT_EXECUTABLE` */
export function checkFound(args: readonly string[], program: Program, { ignored, values }: StepReplies): void {
  const lookups = program.filter(({ op }) => op === 'faccessat');
  if (!lookups.length || lookups.some((op) => values.has(op))) return;
  const [command = ''] = args;
  const name = JSON.stringify(command);
  if (lookups.some((op) => ignored.get(op) === 'EACCES'))
    throw new OciError({ code: 'COMMAND_NOT_EXECUTABLE', message: `exec: ${name}: permission denied`, hint: 'It is there, and this user may not execute it.' });
  throw new OciError({
    code: 'COMMAND_NOT_FOUND',
    message: command.includes('/') ? `exec: ${name}: stat ${command}: no such file or directory` : `exec: ${name}: executable file not found in $PATH`,
    hint: 'process.args names a command of the container, not of the host.',
  });
}

/** The ops that execute it: one per place. */
export function execute(args: readonly string[], env: readonly string[]): Op[] {
  const all = places(args, env);
  return withPurpose(
    `exec ${JSON.stringify(args[0] ?? '')}`,
    all.map((pathname, i): Op => ({ op: 'execve', pathname, argv: args, envp: env, ...(i < all.length - 1 ? { ignore: NOT_HERE } : {}) })),
  );
}
