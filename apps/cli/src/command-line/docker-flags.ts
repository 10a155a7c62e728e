const NETWORK = 'The addresses and routes of the container are those of the host: --network pasta.';
const RESOLVER = 'The container asks the resolver of the host (--network pasta, --network host); -v FILE:/etc/resolv.conf:ro gives it another.';
const CPU_TIME = '--cpus NUMBER limits its time on processors.';
const BLOCK_IO = '--blkio-weight NUMBER gives it a share of the time of disks.';
const HEALTH = 'Health checks are not made: run one by lamella exec from a timer.';
const OWN_NAMESPACES = 'A container always has its own; lamella exec runs beside its processes.';
const NAMED_VOLUMES = 'There are no named volumes: -v /directory:/path shows a directory of the host.';

/** Flags of `docker run` and `docker create` that we do not have: what to do instead. */
const OF_RUN: Readonly<Record<string, string>> = {
  '--add-host': '-v FILE:/etc/hosts:ro gives the container a list of hosts.',
  '--annotation': '--label KEY=VALUE notes something about a container.',
  '--attach': 'Without -d the output comes here; -i passes stdin on.',
  '-a': 'Without -d the output comes here; -i passes stdin on.',
  '--blkio-weight-device': BLOCK_IO,
  '--cgroup-parent': 'Its cgroup is made below that of this process: start lamella in the one you mean (systemd-run --slice).',
  '--cgroupns': OWN_NAMESPACES,
  '--cpu-period': CPU_TIME,
  '--cpu-quota': CPU_TIME,
  '--cpu-rt-period': CPU_TIME,
  '--cpu-rt-runtime': CPU_TIME,
  '--cpuset-mems': '--cpuset-cpus LIST chooses processors; numactl(8) inside chooses memory.',
  '--device-cgroup-rule': '--device /dev/NAME shows a device inside.',
  '--device-read-bps': BLOCK_IO,
  '--device-read-iops': BLOCK_IO,
  '--device-write-bps': BLOCK_IO,
  '--device-write-iops': BLOCK_IO,
  '--disable-content-trust': 'Leave it out: images are checked by their digests.',
  '--dns': RESOLVER,
  '--dns-opt': RESOLVER,
  '--dns-option': RESOLVER,
  '--dns-search': RESOLVER,
  '--domainname': '--hostname NAME.DOMAIN sets both.',
  '--expose': '--network pasta -p HOST:PORT publishes a port.',
  '--gpus': '--device /dev/NAME shows a device inside.',
  '--group-add': '-u USER:GROUP chooses the group; others come from /etc/group of the image.',
  '--health-cmd': HEALTH,
  '--health-interval': HEALTH,
  '--health-retries': HEALTH,
  '--health-start-interval': HEALTH,
  '--health-start-period': HEALTH,
  '--health-timeout': HEALTH,
  '--no-healthcheck': 'Leave it out: health checks are not made.',
  '--ip': NETWORK,
  '--ip6': NETWORK,
  '--ipc': OWN_NAMESPACES,
  '--isolation': 'Leave it out: it is for Windows.',
  '--kernel-memory': '--memory SIZE limits all of its memory.',
  '--link': '--network host lets containers reach each other by ports of the loopback.',
  '--link-local-ip': NETWORK,
  '--log-driver': 'What it writes is kept in files: --log-opt max-size=SIZE bounds them, lamella logs -f passes it on.',
  '--mac-address': NETWORK,
  '--memory-reservation': '--memory SIZE limits its memory.',
  '--memory-swappiness': '--memory-swap SIZE limits memory and swap together.',
  '--network-alias': NETWORK,
  '--net-alias': NETWORK,
  '--oom-kill-disable': '--oom-score-adj -1000 spares it as long as the host has memory.',
  '--pid': OWN_NAMESPACES,
  '--publish-all': '--network pasta -p HOST:PORT publishes each port by name.',
  '-P': '--network pasta -p HOST:PORT publishes each port by name.',
  '--quiet': 'Progress is shown on terminals only: 2>/dev/null hides it.',
  '-q': 'Progress is shown on terminals only: 2>/dev/null hides it.',
  '--runtime': 'Leave it out: lamella is its own runtime.',
  '--sig-proxy': 'Signals are always passed on; -d lets it run on by itself.',
  '--storage-opt': 'A store on a filesystem of its own bounds what containers write: --root DIR.',
  '--sysctl': 'Write it below /proc/sys inside, with --privileged.',
  '--use-api-socket': 'There is no daemon, and so no socket.',
  '--uts': OWN_NAMESPACES,
  '--volume-driver': NAMED_VOLUMES,
  '--volumes-from': NAMED_VOLUMES,
};

/** Flags of other commands of Docker's. */
const OF_OTHERS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  exec: { '--detach-keys': 'A command beside a container ends with this terminal; -d lets it run on.' },
  start: { '--checkpoint': 'lamella rollback goes back to a checkpoint; lamella start begins there.' },
  rmi: {
    '--force': 'An image that a container was made of stays: remove the container first, lamella rm -f.',
    '-f': 'An image that a container was made of stays: remove the container first, lamella rm -f.',
    '--no-prune': 'Leave it out: layers that other images use stay.',
  },
  logs: { '--details': 'lamella inspect shows the labels and variables of a container.' },
  stats: { '--all': 'lamella ps -a lists those that do not run.', '-a': 'lamella ps -a lists those that do not run.' },
  rm: { '--link': 'There are no links between containers.' },
  pull: { '--all-tags': 'Name each tag.', '-a': 'Name each tag.', '--disable-content-trust': 'Leave it out: images are checked by their digests.' },
  push: { '--all-tags': 'Name each tag.', '-a': 'Name each tag.', '--disable-content-trust': 'Leave it out: images are checked by their digests.' },
  login: {
    '--password': 'A password on a command line is seen by everybody: --password-stdin.',
    '-p': 'A password on a command line is seen by everybody: --password-stdin.',
  },
  history: { '--no-trunc': 'lamella history lists checkpoints; lamella image history shows how an image was made.' },
  inspect: { '--type': 'lamella inspect is for containers, lamella image inspect for images.' },
  'image prune': { '--all': 'lamella rmi NAME removes an image.', '-a': 'lamella rmi NAME removes an image.' },
};

/** What to do in place of a flag of Docker's that a command of ours does not have. */
export function dockerFlag(command: string, said: string): string | undefined {
  const table = command === 'run' || command === 'create' ? OF_RUN : OF_OTHERS[command];
  return table && Object.hasOwn(table, said) ? table[said] : undefined;
}

/** What to do in place of a value that Docker takes of a flag of ours. */
export function dockerValue(flag: string, value: string): string | undefined {
  if (flag !== 'network') return undefined;
  return value.startsWith('container:')
    ? '--network host lets containers reach each other by ports of the loopback.'
    : 'Known are none (only loopback), host, and pasta: a network of its own that reaches others, as the bridge of Docker does.';
}
