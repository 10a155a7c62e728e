import { constants } from 'node:os';
import { CAPABILITIES, FSCONFIG, IOCTL, O, PR, RESOLVE, RLIMIT, S_IF, UTIME } from '../ops/constants.js';
import { AT_FDCWD, type Bytes, type Op, SUPERVISE } from '../ops/op.js';
import {
  AT_FLAGS,
  CLONE_FLAGS,
  fileMode,
  LOCK_FLAGS,
  MOUNT_ATTR_FLAGS,
  MOUNT_FLAGS,
  MOVE_MOUNT_FLAGS,
  OPEN_TREE_FLAGS,
  openFlags,
  PROPAGATION_FLAGS,
  RESOLVE_FLAGS,
  SOCKET_FLAGS,
  UMOUNT_FLAGS,
  UNLINK_FLAGS,
} from './flag-names.js';
import { flags, octal, quoted } from './notation.js';

/** One system call, as strace(1) writes it. */
export interface CallText {
  readonly text: string;
  /** Names of further calls, whose number a compound op decides while it runs. */
  readonly repeats?: readonly string[];
}

/** Returns the number of a slot's descriptor when the op runs. */
export type DescriptorOf = (slot: number) => number;

const SIGNALS = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]));
const RESOURCES = new Map(Object.entries(RLIMIT).map(([name, number]) => [number, `RLIMIT_${name.toUpperCase()}`]));
const FSCONFIG_NAMES = new Map(Object.entries(FSCONFIG).map(([name, number]) => [number as number, `FSCONFIG_${name}`]));
const IOCTL_NAMES = new Map(Object.entries(IOCTL).map(([name, number]) => [number as number, name]));

const one = (text: string, repeats?: readonly string[]): readonly CallText[] => [repeats ? { text, repeats } : { text }];

/**
 * Returns the system calls of an op, in order, in the notation of strace(1), without results. Calls that read frames, reply, mask
 * signals or talk to the monitor are left out.
 */
export function callsOf(op: Op, descriptorOf: DescriptorOf): readonly CallText[] {
  const fd = (slot: number): string => (slot === AT_FDCWD ? 'AT_FDCWD' : String(descriptorOf(slot)));
  switch (op.op) {
    case 'mount':
      return one(`mount(${quoted(op.source)}, ${quoted(op.target)}, ${quoted(op.filesystemtype)}, ${flags(op.mountflags, MOUNT_FLAGS)}, ${quoted(op.data)})`);
    case 'umount2':
      return one(`umount2(${quoted(op.target)}, ${flags(op.flags, UMOUNT_FLAGS)})`);
    case 'open_tree':
      return one(`open_tree(${fd(op.dirfd)}, ${quoted(op.pathname)}, ${flags(op.flags, OPEN_TREE_FLAGS)})`);
    case 'move_mount':
      return one(
        `move_mount(${fd(op.from_dirfd)}, ${quoted(op.from_pathname)}, ${fd(op.to_dirfd)}, ${quoted(op.to_pathname)}, ${flags(op.flags, MOVE_MOUNT_FLAGS)})`,
      );
    case 'mount_setattr': {
      const propagation = op.propagation ? flags(op.propagation, PROPAGATION_FLAGS) : '0';
      const userns = op.userns_fd === -1 ? '0' : fd(op.userns_fd);
      return one(
        `mount_setattr(${fd(op.dirfd)}, ${quoted(op.pathname)}, ${flags(op.flags, AT_FLAGS)}, {attr_set=${flags(op.attr_set, MOUNT_ATTR_FLAGS)}, ` +
          `attr_clr=${flags(op.attr_clr, MOUNT_ATTR_FLAGS)}, propagation=${propagation}, userns_fd=${userns}}, 32)`,
      );
    }
    case 'fsopen':
      return one(`fsopen(${quoted(op.fsname)}, ${op.flags ? 'FSOPEN_CLOEXEC' : '0'})`);
    case 'fsconfig':
      return one(
        `fsconfig(${fd(op.fd)}, ${FSCONFIG_NAMES.get(op.cmd) ?? op.cmd}, ${quoted(op.key)}, ${quoted(op.value)}, ${op.aux === -1 ? '0' : fd(op.aux)})`,
      );
    case 'fsmount':
      return one(`fsmount(${fd(op.fd)}, ${op.flags ? 'FSMOUNT_CLOEXEC' : '0'}, ${flags(op.mount_attrs, MOUNT_ATTR_FLAGS)})`);
    case 'pivot_root':
      return one(`pivot_root(${quoted(op.new_root)}, ${quoted(op.put_old)})`);
    case 'chdir':
    case 'chroot':
      return one(`${op.op}(${quoted(op.path)})`);
    case 'fchdir':
    case 'fsync':
    case 'syncfs':
    case 'close':
      return one(`${op.op}(${fd(op.fd)})`);
    case 'mkdirat':
      return one(`mkdirat(${fd(op.dirfd)}, ${quoted(op.pathname)}, ${octal(op.mode)})`, op.replace ? ['statx', 'unlinkat', 'mkdirat'] : undefined);
    case 'mknodat': {
      const special = [S_IF.IFCHR, S_IF.IFBLK].includes((op.mode & S_IF.IFMT) as never);
      const device = special ? `, makedev(${hexadecimal(op.major)}, ${hexadecimal(op.minor)})` : '';
      return one(`mknodat(${fd(op.dirfd)}, ${quoted(op.pathname)}, ${fileMode(op.mode)}${device})`, replacing(op, 'mknodat'));
    }
    case 'symlinkat':
      return one(`symlinkat(${quoted(op.target)}, ${fd(op.newdirfd)}, ${quoted(op.linkpath)})`, replacing(op, 'symlinkat'));
    case 'linkat':
      return one(
        `linkat(${fd(op.olddirfd)}, ${quoted(op.oldpath)}, ${fd(op.newdirfd)}, ${quoted(op.newpath)}, ${flags(op.flags, AT_FLAGS)})`,
        replacing(op, 'linkat'),
      );
    case 'unlinkat':
      return one(`unlinkat(${fd(op.dirfd)}, ${quoted(op.pathname)}, ${flags(op.flags, UNLINK_FLAGS)})`);
    case 'renameat2':
      return one(`renameat2(${fd(op.olddirfd)}, ${quoted(op.oldpath)}, ${fd(op.newdirfd)}, ${quoted(op.newpath)}, ${op.flags})`);
    case 'openat':
      return one(openat(fd(op.dirfd), op.pathname, op.flags, op.mode), replacing(op, 'openat'));
    case 'openat2': {
      const mode = op.flags & O.CREAT ? `, mode=${octal(op.mode)}` : '';
      return one(`openat2(${fd(op.dirfd)}, ${quoted(op.pathname)}, {flags=${openFlags(op.flags)}${mode}, resolve=${flags(op.resolve, RESOLVE_FLAGS)}}, 24)`);
    }
    case 'write':
      return one(`write(${fd(op.fd)}, ${quoted(op.buf)}, ${Buffer.byteLength(op.buf ?? '')})`, ['write']);
    case 'ftruncate':
      return one(`ftruncate(${fd(op.fd)}, ${op.length})`);
    case 'lseek':
      return one(`lseek(${fd(op.fd)}, ${op.offset}, ${['SEEK_SET', 'SEEK_CUR', 'SEEK_END'][op.whence] ?? op.whence})`);
    case 'fchownat':
      return one(`fchownat(${fd(op.dirfd)}, ${quoted(op.pathname)}, ${op.owner}, ${op.group}, ${flags(op.flags, AT_FLAGS)})`);
    case 'fchmod':
      return one(`fchmod(${fd(op.fd)}, ${octal(op.mode)})`);
    case 'fchmodat':
      return one(`fchmodat(${fd(op.dirfd)}, ${quoted(op.pathname)}, ${octal(op.mode)})`);
    case 'utimensat': {
      const time = (seconds: number, nanoseconds: number): string =>
        nanoseconds === UTIME.OMIT ? 'UTIME_OMIT' : nanoseconds === UTIME.NOW ? 'UTIME_NOW' : `{tv_sec=${seconds}, tv_nsec=${nanoseconds}}`;
      const times = `[${time(op.atime_sec, op.atime_nsec)}, ${time(op.mtime_sec, op.mtime_nsec)}]`;
      return one(`utimensat(${fd(op.dirfd)}, ${quoted(op.pathname)}, ${times}, ${flags(op.flags, AT_FLAGS)})`);
    }
    case 'lsetxattr':
      return one(`lsetxattr(${quoted(op.path)}, ${quoted(op.name)}, ${quoted(op.value)}, ${Buffer.byteLength(op.value ?? '')}, ${op.flags})`);
    case 'fsetxattr':
      return one(`fsetxattr(${fd(op.fd)}, ${quoted(op.name)}, ${quoted(op.value)}, ${Buffer.byteLength(op.value ?? '')}, ${op.flags})`);
    case 'flock':
      return one(`flock(${fd(op.fd)}, ${flags(op.operation, LOCK_FLAGS)})`);
    case 'sethostname':
    case 'setdomainname':
      return one(`${op.op}(${quoted(op.name)}, ${Buffer.byteLength(op.name ?? '')})`);
    case 'prctl':
      return one(prctl(op.option, [op.arg2, op.arg3, op.arg4, op.arg5]));
    case 'capset': {
      const set = (bits: number): string =>
        flags(
          bits,
          CAPABILITIES.map((name, i) => [2 ** i, `1<<CAP_${name}`]),
        );
      return one(
        `capset({version=_LINUX_CAPABILITY_VERSION_3, pid=0}, {effective=${set(op.effective)}, permitted=${set(op.permitted)}, inheritable=${set(op.inheritable)}})`,
      );
    }
    case 'setgroups':
      return one(`setgroups(${op.list.length}, [${op.list.join(', ')}])`);
    case 'setresgid':
      return one(`setresgid(${op.rgid}, ${op.egid}, ${op.sgid})`);
    case 'setresuid':
      return one(`setresuid(${op.ruid}, ${op.euid}, ${op.suid})`);
    case 'setrlimit':
      return one(`prlimit64(0, ${RESOURCES.get(op.resource) ?? op.resource}, {rlim_cur=${limit(op.rlim_cur)}, rlim_max=${limit(op.rlim_max)}}, NULL)`);
    case 'setsid':
      return one('setsid()');
    case 'setns':
      return one(`setns(${fd(op.fd)}, ${flags(op.nstype, CLONE_FLAGS)})`);
    case 'unshare':
      return one(`unshare(${flags(op.flags, CLONE_FLAGS)})`);
    case 'seccomp':
      return one(`seccomp(${op.operation === 1 ? 'SECCOMP_SET_MODE_FILTER' : op.operation}, ${op.flags}, {len=${(op.filter?.length ?? 0) / 8}, filter=…})`);
    case 'close_range':
      return one(`close_range(${op.first}, ${op.last}, ${op.flags & 4 ? 'CLOSE_RANGE_CLOEXEC' : op.flags})`);
    case 'dup3':
      return one(`dup3(${fd(op.fd)}, ${op.newfd}, ${op.flags & O.CLOEXEC ? 'O_CLOEXEC' : op.flags})`);
    case 'socket':
      return one(
        `socket(${SOCKET_DOMAINS[op.domain] ?? op.domain}, ${socketType(op.type)}, ${op.domain === 2 && op.protocol === 0 ? 'IPPROTO_IP' : op.protocol})`,
      );
    case 'ioctl':
      return one(`ioctl(${fd(op.fd)}, ${IOCTL_NAMES.get(op.request) ?? hexadecimal(op.request)}, ${ioctlArgument(op)})`);
    case 'umask':
      return one(`umask(${op.mask === 0 ? '000' : `0${op.mask.toString(8)}`})`);
    case 'execve':
      return one(`execve(${quoted(op.pathname)}, [${op.argv.map(quoted).join(', ')}], [${op.envp.map(quoted).join(', ')}])`);
    case 'clone':
      return [
        { text: 'socketpair(AF_UNIX, SOCK_SEQPACKET|SOCK_CLOEXEC, 0, …)' },
        {
          text: `clone3({flags=${flags(0x1000 + op.flags, CLONE_FLAGS)}${(op.cgroup ?? -1) === -1 ? '' : '|CLONE_INTO_CGROUP'}, pidfd=…, exit_signal=SIGCHLD, stack=NULL, stack_size=0${(op.cgroup ?? -1) === -1 ? '' : `, cgroup=${fd(op.cgroup ?? -1)}`}}, 88)`,
        },
      ];
    case 'serve':
      return one('clone(child_stack=NULL, flags=CLONE_VFORK|SIGCHLD)');
    case 'await_served':
      return one('ppoll(…)');
    case 'netns':
      return [
        { text: 'socketpair(AF_UNIX, SOCK_STREAM|SOCK_CLOEXEC, 0, …)' },
        { text: 'clone(child_stack=NULL, flags=SIGCHLD)' },
        { text: 'openat(AT_FDCWD, "/proc/…/ns/net", O_RDONLY|O_CLOEXEC)', repeats: ['read', 'close', 'wait4'] },
      ];
    case 'end_served':
      return one('wait4(…)');
    case 'init':
      return [
        ...(op.job ? [{ text: 'socketpair(AF_UNIX, SOCK_SEQPACKET|SOCK_CLOEXEC, 0, …)' }, { text: 'sendmsg(…)' }, { text: 'close(…)' }] : []),
        { text: 'clone(child_stack=NULL, flags=SIGCHLD)', ...(op.job ? { repeats: ['setpgid', 'ioctl', 'close'] } : {}) },
      ];
    case 'keyctl':
      return one(`keyctl(${op.operation === 1 ? 'KEYCTL_JOIN_SESSION_KEYRING' : op.operation}, ${op.name === null ? 'NULL' : quoted(op.name)})`);
    case 'pidfd_open':
      return one(`pidfd_open(${op.pid}, ${op.flags})`);
    // The socket is made at once; later calls of the monitor do not belong to the program.
    case 'supervise':
      return [
        ...(op.flags & SUPERVISE.LOG ? [{ text: openat(fd(op.dirfd), 'log', O.WRONLY | O.CREAT | O.APPEND | O.CLOEXEC, 0o600) }, { text: 'statx(…)' }] : []),
        ...(op.flags & SUPERVISE.LISTEN
          ? [
              { text: `unlinkat(${fd(op.dirfd)}, "control", 0)` },
              { text: 'socket(AF_UNIX, SOCK_STREAM|SOCK_CLOEXEC|SOCK_NONBLOCK, 0)' },
              { text: 'bind(…)' },
              { text: 'listen(…)' },
            ]
          : []),
      ];
    case 'copy_file':
      return [
        { text: openat(fd(op.dirfd), op.pathname, 0x80000, 0) },
        { text: 'read(…)' },
        { text: 'close(…)' },
        { text: openat(fd(op.dirfd), op.newpath, O.WRONLY | O.CREAT | O.TRUNC | O.CLOEXEC, 0o600) },
        { text: 'write(…)' },
        { text: 'close(…)' },
      ];
    case 'read_file':
      return [{ text: openat(fd(op.dirfd), op.pathname, 0x80000, 0) }, { text: 'read(…)' }, { text: 'close(…)' }];
    case 'write_file': {
      const data = op.data ?? '';
      return [
        { text: openat(fd(op.dirfd), op.pathname, op.flags, op.mode) },
        ...(data.length ? [{ text: `write(…, ${quoted(data)}, ${Buffer.byteLength(data)})`, repeats: ['write'] }] : []),
        { text: 'close(…)' },
      ];
    }
    case 'rmtree':
      return one(`unlinkat(${fd(op.dirfd)}, ${quoted(op.pathname)}, 0)`, REMOVING);
    case 'walk':
    case 'walk_seen':
      return one(`openat2(${fd(op.dirfd)}, ${quoted(op.pathname)}, {flags=${openFlags(O.DIRECTORY | O.NOFOLLOW | O.CLOEXEC)}, resolve=0}, 24)`, WALKING);
    case 'compare':
      return one(`openat2(${fd(op.dirfd)}, ".", {flags=${openFlags(O.DIRECTORY | O.NOFOLLOW | O.CLOEXEC)}, resolve=0}, 24)`, WALKING);
    case 'copy_object':
      return one(openat(fd(op.olddirfd), op.oldpath, O.PATH | O.NOFOLLOW | O.CLOEXEC, 0), [
        'statx',
        'mkdirat',
        'mknodat',
        'symlinkat',
        'readlinkat',
        'openat',
        'copy_file_range',
        'fchownat',
        'fchmodat',
        'listxattr',
        'getxattr',
        'setxattr',
        'removexattr',
        'utimensat',
        'close',
      ]);
    case 'statx':
      return one(`statx(${fd(op.dirfd)}, ${quoted(op.pathname)}, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS|STATX_BTIME)`, [
        'readlinkat',
        'fchdir',
        'llistxattr',
        'lgetxattr',
      ]);
    case 'expect':
      return one(`statx(${fd(op.dirfd)}, ${quoted(op.pathname)}, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS|STATX_BTIME)`);
    case 'rename_seen':
      return one(`statx(${fd(op.olddirfd)}, ${quoted(op.oldpath)}, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS|STATX_BTIME)`, ['renameat2']);
    case 'same_object':
      return one(`statx(${fd(op.fd)}, "", AT_STATX_SYNC_AS_STAT|AT_SYMLINK_NOFOLLOW|AT_EMPTY_PATH, STATX_TYPE|STATX_INO|STATX_BTIME, …)`);
    case 'mkpath':
      return one(
        `openat2(${fd(op.rootfd)}, ${quoted(op.pathname)}, {flags=${openFlags(O.PATH | O.CLOEXEC | (op.directory ? O.DIRECTORY : 0))}, ` +
          `resolve=${flags(RESOLVE.IN_ROOT | RESOLVE.NO_MAGICLINKS, RESOLVE_FLAGS)}}, 24)`,
        ['openat2', 'mkdirat', 'mknodat', 'statx', 'close'],
      );
    case 'landed':
      return one('readlinkat(AT_FDCWD, "/proc/self/fd/…", …, 4096)', ['readlinkat']);
    case 'covered':
      return one(
        `openat2(${fd(op.rootfd)}, ${quoted(op.pathname)}, {flags=${openFlags(O.PATH | O.CLOEXEC)}, ` +
          `resolve=${flags(RESOLVE.IN_ROOT | RESOLVE.NO_MAGICLINKS, RESOLVE_FLAGS)}}, 24)`,
        ['statx', 'fstatfs', 'close'],
      );
    case 'expect_type':
      return one(`fstatfs(${fd(op.fd)}, …)`);
    case 'pty':
      return [
        { text: `fstatfs(${fd(op.dirfd)}, …)` },
        { text: openat(fd(op.dirfd), 'ptmx', O.RDWR | O.NOCTTY | O.NOFOLLOW | O.CLOEXEC, 0) },
        { text: 'ioctl(…, TIOCSPTLCK, [0])' },
        ...(op.rows && op.columns ? [{ text: `ioctl(…, TIOCSWINSZ, {ws_row=${op.rows}, ws_col=${op.columns}, ws_xpixel=0, ws_ypixel=0})` }] : []),
        { text: `ioctl(…, TIOCGPTPEER, ${hexadecimal(O.RDWR | O.NOCTTY | O.CLOEXEC)})` },
        { text: `fchown(…, ${op.owner}, ${op.group})` },
        { text: 'close(…)' },
      ];
    case 'faccessat':
      return one(`faccessat2(${fd(op.dirfd)}, ${quoted(op.pathname)}, ${op.mode === 1 ? 'X_OK' : op.mode}, ${flags(op.flags, AT_FLAGS)})`);
    case 'personality':
      return one(`personality(${hexadecimal(op.persona)})`);
    case 'sched_setattr':
      return one('sched_setattr(0, …, 0)');
    case 'ioprio_set':
      return one(`ioprio_set(${op.which}, ${op.who}, ${op.ioprio})`);
    case 'sched_setaffinity':
      return one('sched_setaffinity(0, …)');
    case 'set_mempolicy':
      return one(`set_mempolicy(${op.mode}, …)`);
    case 'connect':
      return one(`connect(${fd(op.fd)}, {sa_family=AF_UNIX, sun_path=${quoted(op.pathname)}}, ${Buffer.byteLength(op.pathname ?? '') + 3})`);
    case 'send_fd':
      return one(`sendmsg(${fd(op.fd)}, …, MSG_NOSIGNAL)`);
    case 'inherited':
      return one(`fcntl(${op.number}, F_DUPFD_CLOEXEC, 5)`);
    case 'pidfd_getfd':
      return one(`pidfd_getfd(${fd(op.fd)}, ${op.targetfd}, ${op.flags})`);
    case 'bpf_prog_load':
      return one('bpf(BPF_PROG_LOAD, …)');
    case 'bpf_prog_attach':
      return one('bpf(BPF_PROG_ATTACH, …)');
    case 'netlink':
      return one(`sendto(${fd(op.fd)}, …, 0, NULL, 0)`, ['recvfrom']);
    case 'own_stdio':
      return one('statx(0, "", AT_EMPTY_PATH, STATX_TYPE)', ['statx', 'fchown']);
    case 'userns':
      return [
        { text: 'pipe2(…, O_CLOEXEC)' },
        { text: 'clone(child_stack=NULL, flags=CLONE_NEWUSER|SIGCHLD)' },
        ...(['uid_map', 'gid_map'] as const).map((file) => ({
          text: `write(…, ${quoted(op[file])}, ${Buffer.byteLength(op[file] ?? '')})`,
          repeats: ['openat', 'write', 'close'],
        })),
        { text: 'openat(AT_FDCWD, "/proc/…/ns/user", O_RDONLY|O_CLOEXEC)', repeats: ['openat', 'close', 'wait4'] },
      ];
    case 'reply_to':
      return one(`fcntl(${fd(op.fd)}, F_DUPFD_CLOEXEC, ${op.least})`);
    // The first only talks to the monitor; the second sets what it does later.
    case 'wait':
    case 'on_exit':
    // The calls of its program follow.
    case 'attempt':
      return [];
  }
}

const WALKING = ['statx', 'getdents64', 'openat', 'openat2', 'fchdir', 'readlinkat', 'read', 'llistxattr', 'lgetxattr', 'close'];
const REMOVING = ['unlinkat', 'openat2', 'getdents64', 'fchmod', 'fchmodat', 'renameat2', 'lseek', 'close'];
const SOCKET_DOMAINS: Readonly<Record<number, string>> = { 1: 'AF_UNIX', 2: 'AF_INET', 16: 'AF_NETLINK' };

function replacing(op: { readonly replace?: boolean }, call: string): readonly string[] | undefined {
  return op.replace ? ['statx', ...REMOVING, call] : undefined;
}

function openat(dirfd: string, pathname: Bytes, how: number, mode: number): string {
  return `openat(${dirfd}, ${quoted(pathname)}, ${openFlags(how)}${how & O.CREAT ? `, ${octal(mode)}` : ''})`;
}

function hexadecimal(value: number): string {
  return value === 0 ? '0' : `0x${value.toString(16)}`;
}

function limit(value: number): string {
  if (value < 0) return 'RLIM64_INFINITY';
  return value > 1024 && value % 1024 === 0 ? `${value / 1024}*1024` : String(value);
}

function socketType(type: number): string {
  const kind = ['', 'SOCK_STREAM', 'SOCK_DGRAM', 'SOCK_RAW', '', 'SOCK_SEQPACKET'][type & 0xf] ?? String(type & 0xf);
  const rest = type - (type & 0xf);
  return rest ? `${kind}|${flags(rest, SOCKET_FLAGS)}` : kind;
}

function prctl(option: number, args: readonly number[]): string {
  switch (option) {
    case PR.SET_PDEATHSIG:
      return `prctl(PR_SET_PDEATHSIG, ${SIGNALS.get(args[0] ?? 0) ?? args[0]})`;
    case PR.CAPBSET_DROP:
      return `prctl(PR_CAPBSET_DROP, ${CAPABILITIES[args[0] ?? -1] ? `CAP_${CAPABILITIES[args[0] ?? -1]}` : hexadecimal(args[0] ?? 0)})`;
    case PR.SET_DUMPABLE:
      return `prctl(PR_SET_DUMPABLE, ${args[0] === 0 ? 'SUID_DUMP_DISABLE' : args[0]})`;
    default: {
      const name = Object.entries(PR).find(([, value]) => value === option)?.[0];
      return `prctl(${name ? `PR_${name}` : option}, ${args.map(String).join(', ')})`;
    }
  }
}

function ioctlArgument(op: Extract<Op, { op: 'ioctl' }>): string {
  if (op.argp === null) return String(op.argument);
  const bytes = Buffer.from(op.argp as string);
  if (op.request !== IOCTL.SIOCSIFFLAGS || bytes.length < 18) return quoted(bytes);
  const name = bytes.toString('latin1', 0, Math.max(0, bytes.indexOf(0)));
  return `{ifr_name=${quoted(name)}, ifr_flags=${flags(bytes.readUInt16LE(16), [
    [1, 'IFF_UP'],
    [0x40, 'IFF_RUNNING'],
  ])}}`;
}
