import { boolean, option, string } from '@oclif/core/flags';

/** Returns a flag that may be given more than once. */
const list = (helpValue: string, description: string, more: { char?: 'e' | 'v' | 'l' | 'p' } = {}) =>
  string({ multiple: true, multipleNonGreedy: true, helpValue, description, ...more });

/** The flags of `create`, with Docker's names and help where Docker has them. */
export const CONTAINER_FLAGS = {
  interactive: boolean({ char: 'i', description: 'Keep STDIN open even if not attached' }),
  tty: boolean({ char: 't', description: 'Allocate a pseudo-TTY' }),
  env: list('NAME[=VALUE]', "Set environment variables; without a value, pass the caller's", { char: 'e' }),
  'env-file': list('FILE', 'Read in a file of environment variables'),
  workdir: string({ char: 'w', helpValue: 'DIR', description: 'Working directory inside the container' }),
  user: string({ char: 'u', helpValue: 'NAME|UID[:GROUP|GID]', description: 'Username or UID (format: <name|uid>[:<group|gid>])' }),
  userns: string({ helpValue: 'MODE', description: 'User namespace to use: host (default), keep-id, auto[:size=N], UID:GID:SIZE' }),
  volume: list('[SRC:]DST[:OPTIONS]', 'Bind mount a volume (options: ro; overlay: keep writes in the container; idmap: map owners; rslave)', { char: 'v' }),
  mount: list('KEY=VALUE,…', 'Attach a filesystem mount to the container: type=bind,src=PATH,dst=PATH[,ro] or type=tmpfs,dst=PATH[,tmpfs-size=64m]'),
  tmpfs: list('DST[:OPTIONS]', 'Mount a tmpfs directory (options: size=, mode=, uid=, gid=, exec, ro)'),
  memory: string({ char: 'm', helpValue: 'SIZE', description: 'Memory limit, such as 512m' }),
  'memory-swap': string({ helpValue: 'SIZE', description: "Swap limit equal to memory plus swap: '-1' to enable unlimited swap (default: twice the memory)" }),
  cpus: string({ helpValue: 'NUMBER', description: 'Number of CPUs, such as 1.5' }),
  'cpu-shares': string({ char: 'c', helpValue: 'NUMBER', description: 'CPU shares (relative weight), between 2 and 262144' }),
  'cpuset-cpus': string({ helpValue: 'LIST', description: 'CPUs in which to allow execution (0-3, 0,1)' }),
  'pids-limit': string({ helpValue: 'NUMBER', description: 'Tune container pids limit (set -1 for unlimited)' }),
  'blkio-weight': string({ helpValue: 'NUMBER', description: 'Block IO (relative weight), between 10 and 1000' }),
  'cap-add': list('NAME', 'Add Linux capabilities, or ALL'),
  'cap-drop': list('NAME', 'Drop Linux capabilities, or ALL'),
  privileged: boolean({ description: 'Give extended privileges to this container: it is not isolated any more' }),
  device: list('SRC[:DST]', 'Add a host device to the container'),
  'security-opt': list('OPTION', 'Security Options: seccomp=FILE|unconfined, no-new-privileges[=true|false], proc-opts=hidepid=N'),
  ulimit: list('NAME=SOFT[:HARD]', 'Ulimit options, such as nofile=1024:4096'),
  'shm-size': string({ helpValue: 'SIZE', description: 'Size of /dev/shm (default: 64m)' }),
  'oom-score-adj': string({ helpValue: 'NUMBER', description: "Tune host's OOM preferences (-1000 to 1000)" }),
  'read-only': boolean({ description: "Mount the container's root filesystem as read only" }),
  hostname: string({ char: 'h', helpValue: 'NAME', description: 'Container host name (default: the container ID)' }),
  name: string({ helpValue: 'NAME', description: 'Assign a name to the container (default: a generated one, such as curious_noether)' }),
  label: list('KEY[=VALUE]', 'Set meta data on a container', { char: 'l' }),
  'label-file': list('FILE', 'Read in a line delimited file of labels'),
  init: boolean({ description: 'Run an init inside the container that forwards signals and reaps processes' }),
  entrypoint: string({ helpValue: 'COMMAND', description: 'Overwrite the default ENTRYPOINT of the image' }),
  'stop-signal': string({ helpValue: 'SIGNAL', description: "Signal to stop the container (default: the image's, or SIGTERM)" }),
  'stop-timeout': string({ helpValue: 'SECONDS', description: 'Timeout (in seconds) to stop a container (default: 10)' }),
  restart: string({ helpValue: 'POLICY', description: 'Restart policy to apply when a container exits: no (default), on-failure[:N], always, unless-stopped' }),
  'log-opt': list('OPTION', 'Log options: max-size=SIZE per file, -1 for unlimited, and max-file=N (default: 5 files of 20m)'),
  'detach-keys': string({ helpValue: 'KEYS', description: 'Override the key sequence for detaching a container (default: ctrl-p,ctrl-q)' }),
  cidfile: string({ helpValue: 'FILE', description: 'Write the container ID to the file' }),
  network: option({
    aliases: ['net'],
    options: ['none', 'host', 'pasta'] as const,
    default: 'none',
    description: 'Connect a container to a network: none (loopback only), host, or pasta (private, connected by pasta(1))',
  })(),
  publish: list('[IP:]PORT[:PORT][/udp]', "Publish a container's port(s) to the host, with --network pasta", { char: 'p' }),
  platform: string({ helpValue: 'OS/ARCH[/VARIANT]', description: 'Platform of the image (default: that in the store, or this machine)' }),
  pull: option({ options: ['missing', 'always', 'never'] as const, default: 'missing', description: 'Pull image before running' })(),
  'tls-verify': boolean({ default: true, allowNo: true, description: 'Require HTTPS with a valid certificate (except on loopback)' }),
  rm: boolean({ description: 'Automatically remove the container when it exits (default without -d; --rm=false keeps it)' }),
  root: string({ helpValue: 'DIR', description: 'Directory of the store (default: $LAMELLA_ROOT, /var/lib/lamella or ~/.local/share/lamella)' }),
  json: boolean({ description: "Print the result and the command's output as JSON" }),
  debug: boolean({ description: 'Print the stack trace of an error' }),
};

/** The flags of `lamella run`. */
export const RUN_FLAGS = {
  ...CONTAINER_FLAGS,
  detach: boolean({ char: 'd', description: 'Run container in background and print container ID' }),
  workspace: string({ helpValue: 'DIR', description: 'Unpack DIR/IMAGE.tar, and use DIR/{upper,work,merged} as layers' }),
  on: string({ helpValue: 'CONTAINER', description: 'Run COMMAND in an existing container instead of a new one' }),
  'accept-source': list('PATH', 'Use the file or directory at PATH although it was replaced, with --on'),
  explain: boolean({ description: 'Print the system calls without making them' }),
  keep: boolean({ description: 'Keep the container and its changes, and print its path' }),
};

export interface RunFlags {
  readonly 'accept-source': readonly string[] | undefined;
  readonly label: readonly string[] | undefined;
  readonly 'label-file': readonly string[] | undefined;
  readonly 'stop-signal': string | undefined;
  readonly 'stop-timeout': string | undefined;
  readonly restart: string | undefined;
  readonly 'log-opt': readonly string[] | undefined;
  readonly 'detach-keys': string | undefined;
  readonly cidfile: string | undefined;
  readonly on: string | undefined;
  readonly detach: boolean;
  readonly interactive: boolean;
  readonly tty: boolean;
  readonly userns: string | undefined;
  readonly env: readonly string[] | undefined;
  readonly 'env-file': readonly string[] | undefined;
  readonly workdir: string | undefined;
  readonly user: string | undefined;
  readonly volume: readonly string[] | undefined;
  readonly mount: readonly string[] | undefined;
  readonly tmpfs: readonly string[] | undefined;
  readonly memory: string | undefined;
  readonly 'memory-swap': string | undefined;
  readonly cpus: string | undefined;
  readonly 'cpu-shares': string | undefined;
  readonly 'cpuset-cpus': string | undefined;
  readonly 'pids-limit': string | undefined;
  readonly 'blkio-weight': string | undefined;
  readonly 'cap-add': readonly string[] | undefined;
  readonly 'cap-drop': readonly string[] | undefined;
  readonly privileged: boolean;
  readonly device: readonly string[] | undefined;
  readonly 'security-opt': readonly string[] | undefined;
  readonly ulimit: readonly string[] | undefined;
  readonly 'shm-size': string | undefined;
  readonly 'oom-score-adj': string | undefined;
  readonly 'read-only': boolean;
  readonly hostname: string | undefined;
  readonly name: string | undefined;
  readonly init: boolean;
  readonly entrypoint: string | undefined;
  readonly network: 'none' | 'host' | 'pasta';
  readonly publish?: readonly string[] | undefined;
  readonly platform: string | undefined;
  readonly pull: 'missing' | 'always' | 'never';
  readonly 'tls-verify': boolean;
  readonly workspace: string | undefined;
  readonly explain: boolean;
  readonly keep: boolean;
  /** Undefined if it was not given; `--rm=false` keeps the container. */
  readonly rm: boolean | undefined;
  readonly root: string | undefined;
  readonly json: boolean;
  readonly debug: boolean;
}
