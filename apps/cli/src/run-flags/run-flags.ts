import { boolean, option, string } from '@oclif/core/flags';

/** A flag that may come more than once. */
const list = (helpValue: string, description: string, more: { char?: 'e' | 'v' | 'l' | 'p' } = {}) =>
  string({ multiple: true, multipleNonGreedy: true, helpValue, description, ...more });

/** The flags that say what a container is, by Docker's names where Docker has them. */
export const CONTAINER_FLAGS = {
  interactive: boolean({ char: 'i', description: "pass this process's stdin on" }),
  tty: boolean({ char: 't', description: 'give it a terminal' }),
  env: list('NAME[=VALUE]', 'set a variable; without a value, pass ours on', { char: 'e' }),
  'env-file': list('FILE', 'set variables from the NAME=VALUE lines of a file'),
  workdir: string({ char: 'w', helpValue: 'DIR', description: 'directory inside to start in; made when missing' }),
  user: string({ char: 'u', helpValue: 'NAME|UID[:GROUP|GID]', description: 'who the command runs as' }),
  userns: string({ helpValue: 'MODE', description: 'ids of its own: auto[:size=N], UID:GID:SIZE; keep-id; host (default)' }),
  volume: list(
    '[SRC:]DST[:OPTIONS]',
    'show a file or directory of the host inside (ro; overlay: what is written stays in the container; idmap: with its ids; rslave)',
    { char: 'v' },
  ),
  mount: list('KEY=VALUE,…', 'the same as type=bind,src=PATH,dst=PATH[,ro]; or type=tmpfs,dst=PATH[,tmpfs-size=64m]'),
  tmpfs: list('DST[:OPTIONS]', 'an empty directory in memory (size=, mode=, uid=, gid=, exec, ro)'),
  memory: string({ char: 'm', helpValue: 'SIZE', description: 'how much memory it may use, such as 512m' }),
  'memory-swap': string({ helpValue: 'SIZE', description: 'memory and swap together; -1 is no limit (default: twice the memory)' }),
  cpus: string({ helpValue: 'NUMBER', description: "how many processors' time, such as 1.5" }),
  'cpu-shares': string({ char: 'c', helpValue: 'NUMBER', description: 'its part of the time when others want it, too (2 to 262144)' }),
  'cpuset-cpus': string({ helpValue: 'LIST', description: 'which processors, such as 0-2,4' }),
  'pids-limit': string({ helpValue: 'NUMBER', description: 'how many processes and threads; -1 is no limit' }),
  'blkio-weight': string({ helpValue: 'NUMBER', description: "its part of the disk's time (10 to 1000)" }),
  'cap-add': list('NAME', 'give it a capability, or ALL'),
  'cap-drop': list('NAME', 'take a capability away, or ALL'),
  privileged: boolean({ description: 'all capabilities and devices, no filter, nothing hidden: no sandbox any more' }),
  device: list('SRC[:DST]', 'show a device of the host inside'),
  'security-opt': list('OPTION', 'seccomp=FILE|unconfined, no-new-privileges[=true|false], proc-opts=hidepid=N'),
  ulimit: list('NAME=SOFT[:HARD]', 'a resource limit, such as nofile=1024:4096'),
  'shm-size': string({ helpValue: 'SIZE', description: 'how much /dev/shm holds (default: 64m)' }),
  'oom-score-adj': string({ helpValue: 'NUMBER', description: 'how readily it is killed when memory runs out, from -1000 to 1000' }),
  'read-only': boolean({ description: 'make the root filesystem read-only' }),
  hostname: string({ char: 'h', helpValue: 'NAME', description: 'its host name (default: the id of the container)' }),
  name: string({ helpValue: 'NAME', description: 'its name (default: a generated one, as curious_noether)' }),
  label: list('KEY[=VALUE]', 'something to know it by', { char: 'l' }),
  'label-file': list('FILE', 'labels from the KEY=VALUE lines of a file'),
  init: boolean({ description: 'a small init as process 1, which reaps and passes signals on' }),
  entrypoint: string({ helpValue: 'COMMAND', description: "take the place of the image's entrypoint" }),
  'stop-signal': string({ helpValue: 'SIGNAL', description: "how to ask it to end (default: the image's, or SIGTERM)" }),
  'stop-timeout': string({ helpValue: 'SECONDS', description: 'how long it has to end before it is killed (default: 10)' }),
  restart: string({ helpValue: 'POLICY', description: 'start it again when it ends: no, on-failure[:N], always, unless-stopped' }),
  'log-opt': list('OPTION', 'of its log: max-size=SIZE of a file, -1 for no bound, max-file=N (default: 5 files of 20m)'),
  'detach-keys': string({ helpValue: 'KEYS', description: 'what to type to leave it running (default: ctrl-p,ctrl-q)' }),
  cidfile: string({ helpValue: 'FILE', description: 'write its id into a new file' }),
  network: option({
    aliases: ['net'],
    options: ['none', 'host', 'pasta'] as const,
    default: 'none',
    description: "a network of its own with only loopback; the host's; or its own, connected by pasta(1)",
  })(),
  publish: list('[IP:]PORT[:PORT][/udp]', 'a port of the host (or a range) that leads to one inside, with --network pasta', { char: 'p' }),
  platform: string({ helpValue: 'OS/ARCH[/VARIANT]', description: 'which image of several (default: what is there, else this machine)' }),
  pull: option({ options: ['missing', 'always', 'never'] as const, default: 'missing', description: 'when to fetch the image from its registry' })(),
  'tls-verify': boolean({ default: true, allowNo: true, description: 'check certificates, and never speak plain HTTP (loopback may)' }),
  rm: boolean({ description: 'throw away what the command changed (the default, but not with -d); --rm=false keeps it' }),
  root: string({ helpValue: 'DIR', description: 'the store (default: $LAMELLA_ROOT, /var/lib/lamella, ~/.local/share/lamella)' }),
  json: boolean({ description: 'print one JSON object with the result and what the command wrote' }),
  debug: boolean({ description: 'print where an error came from' }),
};

/** The flags of `lamella run`. */
export const RUN_FLAGS = {
  ...CONTAINER_FLAGS,
  detach: boolean({ char: 'd', description: 'let it run on, keep what it writes, and print its id' }),
  workspace: string({ helpValue: 'DIR', description: 'unpack DIR/IMAGE.tar there, and work in DIR/{upper,work,merged}' }),
  on: string({ helpValue: 'CONTAINER', description: 'run COMMAND in what a kept container has become, instead of in IMAGE' }),
  'accept-source': list('PATH', 'with --on: use what is at PATH now, though it was replaced'),
  explain: boolean({ description: 'print the system calls it would make, and make none' }),
  keep: boolean({ description: 'keep the container, with what the command changed, and say where' }),
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
  /** Nothing where it was not said; `--rm=false` keeps it. */
  readonly rm: boolean | undefined;
  readonly root: string | undefined;
  readonly json: boolean;
  readonly debug: boolean;
}
