const NETWORK = 'With --network pasta the container has the addresses and routes of the host.';
const RESOLVER = 'The container uses the resolver of the host. Use another: -v FILE:/etc/resolv.conf:ro';
const CPU_TIME = 'Limit the CPU time: --cpus NUMBER';
const BLOCK_IO = 'Set the block IO weight: --blkio-weight NUMBER';
const HEALTH = 'Health checks are not supported. Run one with lamella exec from a timer.';
const OWN_NAMESPACES = 'A container always has its own namespace. Run a command in it: lamella exec';
const NAMED_VOLUMES = 'Named volumes are not supported. Bind mount a directory: -v /directory:/path';

/** Alternatives for the flags of `docker run` and `docker create` that we do not have. */
const OF_RUN: Readonly<Record<string, string>> = {
  '--add-host': 'Mount a hosts file: -v FILE:/etc/hosts:ro',
  '--annotation': 'Set a label: --label KEY=VALUE',
  '--attach': 'Without -d STDOUT and STDERR are attached; -i attaches STDIN.',
  '-a': 'Without -d STDOUT and STDERR are attached; -i attaches STDIN.',
  '--blkio-weight-device': BLOCK_IO,
  '--cgroup-parent': "The container's cgroup is made below that of lamella. Start lamella in another one: systemd-run --slice=NAME",
  '--cgroupns': OWN_NAMESPACES,
  '--cpu-period': CPU_TIME,
  '--cpu-quota': CPU_TIME,
  '--cpu-rt-period': CPU_TIME,
  '--cpu-rt-runtime': CPU_TIME,
  '--cpuset-mems': 'Choose CPUs with --cpuset-cpus LIST, and memory nodes with numactl(8) in the container.',
  '--device-cgroup-rule': 'Add a device: --device /dev/NAME',
  '--device-read-bps': BLOCK_IO,
  '--device-read-iops': BLOCK_IO,
  '--device-write-bps': BLOCK_IO,
  '--device-write-iops': BLOCK_IO,
  '--disable-content-trust': 'Remove the flag: images are verified by their digests.',
  '--dns': RESOLVER,
  '--dns-opt': RESOLVER,
  '--dns-option': RESOLVER,
  '--dns-search': RESOLVER,
  '--domainname': 'Set both names: --hostname NAME.DOMAIN',
  '--expose': 'Publish a port: --network pasta -p HOST_PORT:PORT',
  '--gpus': 'Add a device: --device /dev/NAME',
  '--group-add': 'Set the group with -u USER:GROUP. Supplementary groups come from /etc/group of the image.',
  '--health-cmd': HEALTH,
  '--health-interval': HEALTH,
  '--health-retries': HEALTH,
  '--health-start-interval': HEALTH,
  '--health-start-period': HEALTH,
  '--health-timeout': HEALTH,
  '--no-healthcheck': 'Remove the flag: health checks are not supported.',
  '--ip': NETWORK,
  '--ip6': NETWORK,
  '--ipc': OWN_NAMESPACES,
  '--isolation': 'Remove the flag: it is for Windows.',
  '--kernel-memory': 'Limit the memory: --memory SIZE',
  '--link': 'With --network host containers reach each other on ports of the loopback interface.',
  '--link-local-ip': NETWORK,
  '--log-driver': 'Logs are files. Limit their size with --log-opt max-size=SIZE, and read them with lamella logs -f.',
  '--mac-address': NETWORK,
  '--memory-reservation': 'Limit the memory: --memory SIZE',
  '--memory-swappiness': 'Limit memory plus swap: --memory-swap SIZE',
  '--network-alias': NETWORK,
  '--net-alias': NETWORK,
  '--oom-kill-disable': 'Protect the container from the OOM killer: --oom-score-adj -1000',
  '--pid': OWN_NAMESPACES,
  '--publish-all': 'Publish each port: --network pasta -p HOST_PORT:PORT',
  '-P': 'Publish each port: --network pasta -p HOST_PORT:PORT',
  '--quiet': 'Progress is only shown on a terminal. Hide it: 2>/dev/null',
  '-q': 'Progress is only shown on a terminal. Hide it: 2>/dev/null',
  '--runtime': 'Remove the flag: lamella has its own runtime.',
  '--sig-proxy': 'Signals are always forwarded, except with -d.',
  '--storage-opt': 'To limit the disk usage, choose a store on a separate filesystem: --root DIR',
  '--sysctl': 'With --privileged, write to /proc/sys in the container.',
  '--use-api-socket': 'There is no daemon, so there is no socket.',
  '--uts': OWN_NAMESPACES,
  '--volume-driver': NAMED_VOLUMES,
  '--volumes-from': NAMED_VOLUMES,
};

/** Alternatives for the flags of other commands of Docker that we do not have. */
const OF_OTHERS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  exec: { '--detach-keys': 'A command of exec ends with this terminal. Run it in the background: -d' },
  start: { '--checkpoint': 'Roll back to the checkpoint first: lamella rollback CONTAINER CHECKPOINT' },
  rmi: {
    '--force': 'The image of a container cannot be removed. Remove the container first: lamella rm -f CONTAINER',
    '-f': 'The image of a container cannot be removed. Remove the container first: lamella rm -f CONTAINER',
    '--no-prune': 'Remove the flag: layers of other images are kept.',
  },
  logs: { '--details': 'Show the labels and variables of a container: lamella inspect CONTAINER' },
  stats: { '--all': 'List stopped containers: lamella ps -a', '-a': 'List stopped containers: lamella ps -a' },
  rm: { '--link': 'Links between containers are not supported.' },
  pull: { '--all-tags': 'Give each tag.', '-a': 'Give each tag.', '--disable-content-trust': 'Remove the flag: images are verified by their digests.' },
  push: { '--all-tags': 'Give each tag.', '-a': 'Give each tag.', '--disable-content-trust': 'Remove the flag: images are verified by their digests.' },
  login: {
    '--password': 'A password on the command line is visible to other users. Use --password-stdin.',
    '-p': 'A password on the command line is visible to other users. Use --password-stdin.',
  },
  history: { '--no-trunc': 'lamella history lists checkpoints. Show the history of an image: lamella image history IMAGE' },
  inspect: { '--type': 'lamella inspect is for containers. Inspect an image: lamella image inspect IMAGE' },
  'image prune': { '--all': 'Remove an image: lamella rmi IMAGE', '-a': 'Remove an image: lamella rmi IMAGE' },
};

/** Returns the alternative for a flag of Docker that a command does not have. */
export function dockerFlag(command: string, flag: string): string | undefined {
  const table = command === 'run' || command === 'create' ? OF_RUN : OF_OTHERS[command];
  return table && Object.hasOwn(table, flag) ? table[flag] : undefined;
}

/** Returns the alternative for a value that only Docker accepts. */
export function dockerValue(flag: string, value: string): string | undefined {
  if (flag !== 'network') return undefined;
  return value.startsWith('container:')
    ? 'With --network host containers reach each other on ports of the loopback interface.'
    : "Use none (loopback only), host, or pasta, which is similar to Docker's bridge.";
}
