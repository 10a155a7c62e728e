/**
 * The shape of every op: its number on the wire, its number fields and its byte-string fields, in
 * order. Field names are the man page's. `native/ops.c` holds the same table for the other side.
 *
 * A number field whose name is in {@link FD_FIELDS} names a *slot*: 0 to 2 are the stdio,
 * `AT_FDCWD` is itself, and 5 to 1023 hold the descriptors which ops of the program opened.
 */
export interface OpShape {
  readonly code: number;
  readonly numbers: readonly string[];
  readonly strings: readonly string[];
}

export const OPCODES = {
  mount: { code: 1, numbers: ['mountflags'], strings: ['source', 'target', 'filesystemtype', 'data'] },
  umount2: { code: 2, numbers: ['flags'], strings: ['target'] },
  open_tree: { code: 3, numbers: ['dirfd', 'flags', 'out'], strings: ['pathname'] },
  move_mount: {
    code: 4,
    numbers: ['from_dirfd', 'to_dirfd', 'flags'],
    strings: ['from_pathname', 'to_pathname'],
  },
  mount_setattr: {
    code: 5,
    numbers: ['dirfd', 'flags', 'attr_set', 'attr_clr', 'propagation', 'userns_fd'],
    strings: ['pathname'],
  },
  fsopen: { code: 6, numbers: ['flags', 'out'], strings: ['fsname'] },
  fsconfig: { code: 7, numbers: ['fd', 'cmd', 'aux'], strings: ['key', 'value'] },
  fsmount: { code: 8, numbers: ['fd', 'flags', 'mount_attrs', 'out'], strings: [] },
  pivot_root: { code: 9, numbers: [], strings: ['new_root', 'put_old'] },
  chdir: { code: 10, numbers: [], strings: ['path'] },
  fchdir: { code: 11, numbers: ['fd'], strings: [] },
  chroot: { code: 12, numbers: [], strings: ['path'] },
  mkdirat: { code: 13, numbers: ['dirfd', 'mode'], strings: ['pathname'] },
  mknodat: { code: 14, numbers: ['dirfd', 'mode', 'major', 'minor'], strings: ['pathname'] },
  symlinkat: { code: 15, numbers: ['newdirfd'], strings: ['target', 'linkpath'] },
  linkat: { code: 16, numbers: ['olddirfd', 'newdirfd', 'flags'], strings: ['oldpath', 'newpath'] },
  unlinkat: { code: 17, numbers: ['dirfd', 'flags'], strings: ['pathname'] },
  renameat2: { code: 18, numbers: ['olddirfd', 'newdirfd', 'flags'], strings: ['oldpath', 'newpath'] },
  openat: { code: 19, numbers: ['dirfd', 'flags', 'mode', 'out'], strings: ['pathname'] },
  openat2: { code: 20, numbers: ['dirfd', 'flags', 'mode', 'resolve', 'out'], strings: ['pathname'] },
  write: { code: 21, numbers: ['fd'], strings: ['buf'] },
  ftruncate: { code: 22, numbers: ['fd', 'length'], strings: [] },
  lseek: { code: 23, numbers: ['fd', 'offset', 'whence'], strings: [] },
  close: { code: 24, numbers: ['fd'], strings: [] },
  fchownat: { code: 25, numbers: ['dirfd', 'owner', 'group', 'flags'], strings: ['pathname'] },
  fchmod: { code: 26, numbers: ['fd', 'mode'], strings: [] },
  fchmodat: { code: 27, numbers: ['dirfd', 'mode'], strings: ['pathname'] },
  utimensat: {
    code: 28,
    numbers: ['dirfd', 'atime_sec', 'atime_nsec', 'mtime_sec', 'mtime_nsec', 'flags'],
    strings: ['pathname'],
  },
  lsetxattr: { code: 29, numbers: ['flags'], strings: ['path', 'name', 'value'] },
  fsetxattr: { code: 30, numbers: ['fd', 'flags'], strings: ['name', 'value'] },
  fsync: { code: 31, numbers: ['fd'], strings: [] },
  syncfs: { code: 32, numbers: ['fd'], strings: [] },
  flock: { code: 33, numbers: ['fd', 'operation'], strings: [] },
  sethostname: { code: 34, numbers: [], strings: ['name'] },
  setdomainname: { code: 35, numbers: [], strings: ['name'] },
  prctl: { code: 36, numbers: ['option', 'arg2', 'arg3', 'arg4', 'arg5'], strings: [] },
  capset: { code: 37, numbers: ['effective', 'permitted', 'inheritable'], strings: [] },
  setgroups: { code: 38, numbers: [], strings: ['list'] },
  setresgid: { code: 39, numbers: ['rgid', 'egid', 'sgid'], strings: [] },
  setresuid: { code: 40, numbers: ['ruid', 'euid', 'suid'], strings: [] },
  setrlimit: { code: 41, numbers: ['resource', 'rlim_cur', 'rlim_max'], strings: [] },
  setsid: { code: 42, numbers: [], strings: [] },
  setns: { code: 43, numbers: ['fd', 'nstype'], strings: [] },
  unshare: { code: 44, numbers: ['flags'], strings: [] },
  seccomp: { code: 45, numbers: ['operation', 'flags'], strings: ['filter'] },
  close_range: { code: 46, numbers: ['first', 'last', 'flags'], strings: [] },
  dup3: { code: 47, numbers: ['fd', 'newfd', 'flags'], strings: [] },
  socket: { code: 48, numbers: ['domain', 'type', 'protocol', 'out'], strings: [] },
  ioctl: { code: 49, numbers: ['fd', 'request', 'argument'], strings: ['argp'] },
  umask: { code: 50, numbers: ['mask'], strings: [] },
  execve: { code: 51, numbers: ['argc', 'envc'], strings: ['pathname', 'argv', 'envp'] },
  clone: { code: 52, numbers: ['flags', 'monitor', 'cgroup'], strings: ['program'] },
  write_file: { code: 53, numbers: ['dirfd', 'flags', 'mode'], strings: ['pathname', 'data'] },
  rmtree: { code: 54, numbers: ['dirfd'], strings: ['pathname'] },
  walk: { code: 55, numbers: ['dirfd', 'content'], strings: ['pathname'] },
  mkpath: { code: 56, numbers: ['rootfd', 'directory', 'mode', 'out'], strings: ['pathname'] },
  pty: { code: 57, numbers: ['dirfd', 'rows', 'columns', 'owner', 'group', 'out'], strings: [] },
  wait: { code: 58, numbers: [], strings: [] },
  init: { code: 59, numbers: [], strings: [] },
  on_exit: { code: 60, numbers: [], strings: ['program'] },
  read_file: { code: 61, numbers: ['dirfd'], strings: ['pathname'] },
  keyctl: { code: 62, numbers: ['operation'], strings: ['name'] },
  pidfd_open: { code: 63, numbers: ['pid', 'flags', 'out'], strings: [] },
  supervise: {
    code: 64,
    numbers: ['dirfd', 'flags', 'log_size', 'log_files', 'restart', 'restart_limit', 'events'],
    strings: ['attributes', 'detach_keys'],
  },
  copy_file: { code: 65, numbers: ['dirfd'], strings: ['pathname', 'newpath'] },
  compare: { code: 66, numbers: ['dirfd', 'rootfd', 'marks'], strings: [] },
  copy_object: { code: 67, numbers: ['olddirfd', 'newdirfd', 'metadata'], strings: ['oldpath', 'newpath'] },
  statx: { code: 68, numbers: ['dirfd'], strings: ['pathname'] },
  expect: { code: 69, numbers: ['dirfd', 'ctime_sec', 'ctime_nsec'], strings: ['pathname'] },
  signal: { code: 200, numbers: ['signo'], strings: [] },
  resize: { code: 201, numbers: ['rows', 'columns'], strings: [] },
  go: { code: 202, numbers: [], strings: ['program'] },
  input: { code: 203, numbers: [], strings: ['data'] },
  stop: { code: 204, numbers: ['signo'], strings: [] },
  end_input: { code: 205, numbers: [], strings: [] },
  watch: { code: 206, numbers: ['output'], strings: [] },
} as const;

/** Number fields that name a slot to read a descriptor from. */
export const FD_FIELDS: ReadonlySet<string> = new Set([
  'dirfd',
  'rootfd',
  'fd',
  'from_dirfd',
  'to_dirfd',
  'olddirfd',
  'newdirfd',
  'userns_fd',
  'aux',
  'cgroup',
  'events',
]);

/** Orders which only a running monitor obeys; in a program they are refused. */
export type ControlName = 'signal' | 'resize' | 'go' | 'input' | 'stop' | 'end_input' | 'watch';
export type OpName = Exclude<keyof typeof OPCODES, ControlName>;
