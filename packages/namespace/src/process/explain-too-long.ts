import { bytesOf, type ExecveOp } from '@lamella/syscall';

/** MAX_ARG_STRLEN of linux/binfmts.h, with the NUL at its end. */
const MAX_STRING = 131_072;
/** What the kernel takes of all strings and their pointers, whatever the limit on the stack: fs/exec.c. */
const MAX_ALL = '6 MiB';

/** Returns which limit of execve(2) a command line is over, in words. */
export function exceededLimit({ argv, envp }: Pick<ExecveOp, 'argv' | 'envp'>): string {
  const sizes = [...argv, ...envp].map((each) => bytesOf(each).length + 1);
  const longest = sizes.findIndex((size) => size > MAX_STRING);
  if (longest >= 0) {
    const name = longest < argv.length ? `argument ${longest}` : `the variable ${envp[longest - argv.length]?.replace(/=.*/s, '')}`;
    return `${name} has ${(sizes[longest] ?? 1) - 1} bytes, and the kernel takes ${MAX_STRING - 1} in one string`;
  }
  const all = sizes.reduce((total, size) => total + size + 8, 0);
  return `arguments and environment take ${all} bytes, and the kernel takes a quarter of the limit on the stack (ulimit -s), at most ${MAX_ALL}`;
}
