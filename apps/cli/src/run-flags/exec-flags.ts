import { boolean, string } from '@oclif/core/flags';

/** The flags of `lamella exec`, by Docker's names. */
export const EXEC_FLAGS = {
  interactive: boolean({ char: 'i', description: "pass this process's stdin on" }),
  tty: boolean({ char: 't', description: 'give it a terminal' }),
  detach: boolean({ char: 'd', description: 'let it run on, and end at once' }),
  env: string({ char: 'e', multiple: true, multipleNonGreedy: true, helpValue: 'NAME[=VALUE]', description: 'set a variable; without a value, pass ours on' }),
  'env-file': string({ multiple: true, multipleNonGreedy: true, helpValue: 'FILE', description: 'set variables from the NAME=VALUE lines of a file' }),
  workdir: string({ char: 'w', helpValue: 'DIR', description: "directory inside to start in (default: the container's)" }),
  user: string({ char: 'u', helpValue: 'NAME|UID[:GROUP|GID]', description: "who the command runs as (default: the container's)" }),
  privileged: boolean({ description: 'all capabilities and no filter, whatever the container has' }),
  root: string({ helpValue: 'DIR', description: 'the store (default: $LAMELLA_ROOT, /var/lib/lamella, ~/.local/share/lamella)' }),
  json: boolean({ description: 'print one JSON object with the result and what the command wrote' }),
  debug: boolean({ description: 'print where an error came from' }),
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
