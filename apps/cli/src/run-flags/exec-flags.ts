import { boolean, string } from '@oclif/core/flags';

/** The flags of `lamella exec`, with Docker's names and help. */
export const EXEC_FLAGS = {
  interactive: boolean({ char: 'i', description: 'Keep STDIN open even if not attached' }),
  tty: boolean({ char: 't', description: 'Allocate a pseudo-TTY' }),
  detach: boolean({ char: 'd', description: 'Detached mode: run command in the background' }),
  env: string({
    char: 'e',
    multiple: true,
    multipleNonGreedy: true,
    helpValue: 'NAME[=VALUE]',
    description: "Set environment variables; without a value, pass the caller's",
  }),
  'env-file': string({ multiple: true, multipleNonGreedy: true, helpValue: 'FILE', description: 'Read in a file of environment variables' }),
  workdir: string({ char: 'w', helpValue: 'DIR', description: "Working directory inside the container (default: the container's)" }),
  user: string({ char: 'u', helpValue: 'NAME|UID[:GROUP|GID]', description: 'Username or UID (format: <name|uid>[:<group|gid>])' }),
  privileged: boolean({ description: 'Give extended privileges to the command' }),
  root: string({ helpValue: 'DIR', description: 'Directory of the store (default: $LAMELLA_ROOT, /var/lib/lamella or ~/.local/share/lamella)' }),
  json: boolean({ description: "Print the result and the command's output as JSON" }),
  debug: boolean({ description: 'Print the stack trace of an error' }),
};

export interface ExecFlags {
  readonly interactive?: boolean;
  readonly tty?: boolean;
  readonly detach?: boolean;
  readonly env?: readonly string[];
  readonly 'env-file'?: readonly string[];
  readonly workdir?: string;
  readonly user?: string;
  readonly privileged?: boolean;
  readonly root?: string;
  readonly json?: boolean;
  readonly debug?: boolean;
}
