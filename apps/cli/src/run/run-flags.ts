import { boolean, option, string } from '@oclif/core/flags';

/** The flags of `lamella run`, by Docker's names where Docker has them. */
export const RUN_FLAGS = {
  interactive: boolean({ char: 'i', description: "pass this process's stdin on" }),
  tty: boolean({ char: 't', description: 'give it a terminal' }),
  env: string({ char: 'e', multiple: true, multipleNonGreedy: true, helpValue: 'NAME[=VALUE]', description: 'set a variable; without a value, pass ours on' }),
  'env-file': string({ multiple: true, multipleNonGreedy: true, helpValue: 'FILE', description: 'set variables from the NAME=VALUE lines of a file' }),
  workdir: string({ char: 'w', helpValue: 'DIR', description: 'directory inside to start in; made when missing' }),
  user: string({ char: 'u', helpValue: 'NAME|UID[:GROUP|GID]', description: 'who the command runs as' }),
  volume: string({ char: 'v', multiple: true, multipleNonGreedy: true, helpValue: 'SRC:DST[:ro]', description: 'show a file or directory of the host inside' }),
  tmpfs: string({
    multiple: true,
    multipleNonGreedy: true,
    helpValue: 'DST[:OPTIONS]',
    description: 'an empty directory in memory (size=, mode=, uid=, gid=, exec, ro)',
  }),
  'read-only': boolean({ description: 'make the root filesystem read-only' }),
  hostname: string({ helpValue: 'NAME', description: 'its host name (default: the id of the container)' }),
  name: string({ helpValue: 'NAME', description: 'the id of the container (default: random)' }),
  init: boolean({ description: 'a small init as process 1, which reaps and passes signals on' }),
  entrypoint: string({ helpValue: 'COMMAND', description: "take the place of the image's entrypoint" }),
  network: option({ options: ['none', 'host'] as const, default: 'none', description: "a network of its own with only loopback, or the host's" })(),
  pull: option({ options: ['missing', 'always', 'never'] as const, default: 'missing', description: 'when to fetch the image from its registry' })(),
  'tls-verify': boolean({ default: true, allowNo: true, description: 'check certificates, and never speak plain HTTP (loopback may)' }),
  workspace: string({ helpValue: 'DIR', description: 'unpack DIR/IMAGE.tar there, and work in DIR/{upper,work,merged}' }),
  explain: boolean({ description: 'print the system calls it would make, and make none' }),
  keep: boolean({ description: 'keep what the command changed, and say where' }),
  rm: boolean({ description: 'throw away what the command changed (this is the default)' }),
  root: string({ helpValue: 'DIR', description: 'the store (default: $LAMELLA_ROOT, /var/lib/lamella, ~/.local/share/lamella)' }),
  json: boolean({ description: 'print one JSON object with the result and what the command wrote' }),
  debug: boolean({ description: 'print where an error came from' }),
};

export interface RunFlags {
  readonly interactive: boolean;
  readonly tty: boolean;
  readonly env: readonly string[] | undefined;
  readonly 'env-file': readonly string[] | undefined;
  readonly workdir: string | undefined;
  readonly user: string | undefined;
  readonly volume: readonly string[] | undefined;
  readonly tmpfs: readonly string[] | undefined;
  readonly 'read-only': boolean;
  readonly hostname: string | undefined;
  readonly name: string | undefined;
  readonly init: boolean;
  readonly entrypoint: string | undefined;
  readonly network: 'none' | 'host';
  readonly pull: 'missing' | 'always' | 'never';
  readonly 'tls-verify': boolean;
  readonly workspace: string | undefined;
  readonly explain: boolean;
  readonly keep: boolean;
  readonly rm: boolean;
  readonly root: string | undefined;
  readonly json: boolean;
  readonly debug: boolean;
}
