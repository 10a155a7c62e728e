/* Generated from native/ops/ops.def by native/tables.mjs: change the table and run it. */
// biome-ignore-all format: each entry is one line, as in the table

/**
 * The shape of an op: its number on the wire, its number fields and its byte-string fields, in order. Fields have the
 * names of the man page. `kinds` has a letter for each string: `z` text, `o` text or NULL, `b` bytes, `n` bytes or
 * NULL, `p` a nested program.
 *
 * A number field whose name is in {@link FD_FIELDS} names a *slot*: 0 to 2 are stdio, `AT_FDCWD` is itself, and 5 to
 * 8191 hold the descriptors that ops of the program opened.
 */
export interface OpShape {
  readonly code: number;
  readonly numbers: readonly string[];
  readonly strings: readonly string[];
  readonly kinds: string;
}

/** All ops: their numbers and their fields. */
export const OPCODES = {
  /** Mounts a filesystem, or changes a mount: mount(2). */
  mount: { code: 1, numbers: ['mountflags'], strings: ['source', 'target', 'filesystemtype', 'data'], kinds: 'ozoo' },
  /** Unmounts a filesystem: umount2(2). */
  umount2: { code: 2, numbers: ['flags'], strings: ['target'], kinds: 'z' },
  /** Opens or clones a mount into the slot `out`: open_tree(2). */
  open_tree: { code: 3, numbers: ['dirfd', 'flags', 'out'], strings: ['pathname'], kinds: 'z' },
  /** Attaches a detached mount, or moves one: move_mount(2). */
  move_mount: { code: 4, numbers: ['from_dirfd', 'to_dirfd', 'flags'], strings: ['from_pathname', 'to_pathname'], kinds: 'zz' },
  /** Changes the attributes of mounts: mount_setattr(2). `userns_fd` -1 leaves ids as they are. */
  mount_setattr: { code: 5, numbers: ['dirfd', 'flags', 'attr_set', 'attr_clr', 'propagation', 'userns_fd'], strings: ['pathname'], kinds: 'z' },
  /** Begins the configuration of a filesystem in the slot `out`: fsopen(2). */
  fsopen: { code: 6, numbers: ['flags', 'out'], strings: ['fsname'], kinds: 'z' },
  /** Sets an option of a filesystem under configuration: fsconfig(2). `aux` -1 is none. */
  fsconfig: { code: 7, numbers: ['fd', 'cmd', 'aux'], strings: ['key', 'value'], kinds: 'oo' },
  /** Makes a detached mount of a configured filesystem in the slot `out`: fsmount(2). */
  fsmount: { code: 8, numbers: ['fd', 'flags', 'mount_attrs', 'out'], strings: [], kinds: '' },
  /** Changes the root mount: pivot_root(2). */
  pivot_root: { code: 9, numbers: [], strings: ['new_root', 'put_old'], kinds: 'zz' },
  /** Changes the working directory: chdir(2). */
  chdir: { code: 10, numbers: [], strings: ['path'], kinds: 'z' },
  /** Changes the working directory to an open one: fchdir(2). */
  fchdir: { code: 11, numbers: ['fd'], strings: [], kinds: '' },
  /** Changes the root directory: chroot(2). */
  chroot: { code: 12, numbers: [], strings: ['path'], kinds: 'z' },
  /** Creates a directory: mkdirat(2). With `replace` an existing directory is kept. */
  mkdirat: { code: 13, numbers: ['dirfd', 'mode'], strings: ['pathname'], kinds: 'z' },
  /** Creates a device, a FIFO or a socket: mknodat(2). */
  mknodat: { code: 14, numbers: ['dirfd', 'mode', 'major', 'minor'], strings: ['pathname'], kinds: 'z' },
  /** Creates a symbolic link: symlinkat(2). */
  symlinkat: { code: 15, numbers: ['newdirfd'], strings: ['target', 'linkpath'], kinds: 'zz' },
  /** Creates a hard link: linkat(2). */
  linkat: { code: 16, numbers: ['olddirfd', 'newdirfd', 'flags'], strings: ['oldpath', 'newpath'], kinds: 'zz' },
  /** Removes a file or an empty directory: unlinkat(2). */
  unlinkat: { code: 17, numbers: ['dirfd', 'flags'], strings: ['pathname'], kinds: 'z' },
  /** Renames or exchanges files: renameat2(2). */
  renameat2: { code: 18, numbers: ['olddirfd', 'newdirfd', 'flags'], strings: ['oldpath', 'newpath'], kinds: 'zz' },
  /** Opens a file into the slot `out`: openat(2). */
  openat: { code: 19, numbers: ['dirfd', 'flags', 'mode', 'out'], strings: ['pathname'], kinds: 'z' },
  /** Opens a file with limits on how its path is resolved, into the slot `out`: openat2(2). */
  openat2: { code: 20, numbers: ['dirfd', 'flags', 'mode', 'resolve', 'out'], strings: ['pathname'], kinds: 'z' },
  /** Writes all of `buf` to a file: write(2). */
  write: { code: 21, numbers: ['fd'], strings: ['buf'], kinds: 'b' },
  /** Sets the length of a file: ftruncate(2). */
  ftruncate: { code: 22, numbers: ['fd', 'length'], strings: [], kinds: '' },
  /** Moves the offset of a file: lseek(2). */
  lseek: { code: 23, numbers: ['fd', 'offset', 'whence'], strings: [], kinds: '' },
  /** Closes a descriptor and empties its slot: close(2). */
  close: { code: 24, numbers: ['fd'], strings: [], kinds: '' },
  /** Changes the owner of a file: fchownat(2). */
  fchownat: { code: 25, numbers: ['dirfd', 'owner', 'group', 'flags'], strings: ['pathname'], kinds: 'z' },
  /** Changes the permissions of an open file: fchmod(2). */
  fchmod: { code: 26, numbers: ['fd', 'mode'], strings: [], kinds: '' },
  /** Changes the permissions of a file: fchmodat(2). */
  fchmodat: { code: 27, numbers: ['dirfd', 'mode'], strings: ['pathname'], kinds: 'z' },
  /** Changes the times of a file: utimensat(2). */
  utimensat: { code: 28, numbers: ['dirfd', 'atime_sec', 'atime_nsec', 'mtime_sec', 'mtime_nsec', 'flags'], strings: ['pathname'], kinds: 'o' },
  /** Sets an extended attribute without following links: lsetxattr(2). */
  lsetxattr: { code: 29, numbers: ['flags'], strings: ['path', 'name', 'value'], kinds: 'zzb' },
  /** Sets an extended attribute of an open file: fsetxattr(2). */
  fsetxattr: { code: 30, numbers: ['fd', 'flags'], strings: ['name', 'value'], kinds: 'zb' },
  /** Writes a file to its disk: fsync(2). */
  fsync: { code: 31, numbers: ['fd'], strings: [], kinds: '' },
  /** Writes a filesystem to its disk: syncfs(2). */
  syncfs: { code: 32, numbers: ['fd'], strings: [], kinds: '' },
  /** Locks or unlocks a file: flock(2). */
  flock: { code: 33, numbers: ['fd', 'operation'], strings: [], kinds: '' },
  /** Sets the host name: sethostname(2). */
  sethostname: { code: 34, numbers: [], strings: ['name'], kinds: 'z' },
  /** Sets the NIS domain name: setdomainname(2). */
  setdomainname: { code: 35, numbers: [], strings: ['name'], kinds: 'z' },
  /** Changes an attribute of the process: prctl(2). */
  prctl: { code: 36, numbers: ['option', 'arg2', 'arg3', 'arg4', 'arg5'], strings: [], kinds: '' },
  /** Sets the capabilities of the process: capset(2). */
  capset: { code: 37, numbers: ['effective', 'permitted', 'inheritable'], strings: [], kinds: '' },
  /** Sets the supplementary groups: setgroups(2). */
  setgroups: { code: 38, numbers: [], strings: ['list'], kinds: 'b' },
  /** Sets the real, effective and saved group: setresgid(2). */
  setresgid: { code: 39, numbers: ['rgid', 'egid', 'sgid'], strings: [], kinds: '' },
  /** Sets the real, effective and saved user: setresuid(2). */
  setresuid: { code: 40, numbers: ['ruid', 'euid', 'suid'], strings: [], kinds: '' },
  /** Sets a resource limit: prlimit(2). */
  setrlimit: { code: 41, numbers: ['resource', 'rlim_cur', 'rlim_max'], strings: [], kinds: '' },
  /** Starts a session: setsid(2). */
  setsid: { code: 42, numbers: [], strings: [], kinds: '' },
  /** Joins a namespace: setns(2). */
  setns: { code: 43, numbers: ['fd', 'nstype'], strings: [], kinds: '' },
  /** Moves the process into new namespaces: unshare(2). */
  unshare: { code: 44, numbers: ['flags'], strings: [], kinds: '' },
  /** Installs a system call filter: seccomp(2). */
  seccomp: { code: 45, numbers: ['operation', 'flags'], strings: ['filter'], kinds: 'b' },
  /** Closes a range of descriptors: close_range(2). */
  close_range: { code: 46, numbers: ['first', 'last', 'flags'], strings: [], kinds: '' },
  /** Duplicates a descriptor to a number: dup3(2). */
  dup3: { code: 47, numbers: ['fd', 'newfd', 'flags'], strings: [], kinds: '' },
  /** Creates a socket in the slot `out`: socket(2). */
  socket: { code: 48, numbers: ['domain', 'type', 'protocol', 'out'], strings: [], kinds: '' },
  /** Controls a device: ioctl(2). Passes `argp` if it is not NULL, else `argument`. */
  ioctl: { code: 49, numbers: ['fd', 'request', 'argument'], strings: ['argp'], kinds: 'n' },
  /** Sets the file mode creation mask: umask(2). */
  umask: { code: 50, numbers: ['mask'], strings: [], kinds: '' },
  /** Executes a program in this process: execve(2). */
  execve: { code: 51, numbers: ['argc', 'envc'], strings: ['pathname', 'argv', 'envp'], kinds: 'zbb' },
  /** Runs `program` in a new process in new namespaces, and becomes its monitor: clone3(2). */
  clone: { code: 52, numbers: ['flags', 'monitor', 'cgroup'], strings: ['program'], kinds: 'p' },
  /** Opens a file, writes `data` and closes it: for procfs, sysctl and cgroup files. */
  write_file: { code: 53, numbers: ['dirfd', 'flags', 'mode'], strings: ['pathname', 'data'], kinds: 'zb' },
  /** Removes a tree of files; never crosses a mount. A missing tree is not an error. */
  rmtree: { code: 54, numbers: ['dirfd'], strings: ['pathname'], kinds: 'z' },
  /** Reports every object of a tree. `content`: 0 none, 1 of all files, N of files up to N bytes. */
  walk: { code: 55, numbers: ['dirfd', 'content'], strings: ['pathname'], kinds: 'z' },
  /** Makes a path inside a root and opens its end into the slot `out`. */
  mkpath: { code: 56, numbers: ['rootfd', 'directory', 'mode', 'out'], strings: ['pathname'], kinds: 'z' },
  /** Opens a pseudoterminal of the container and sends its master to the monitor: pty(7). */
  pty: { code: 57, numbers: ['dirfd', 'rows', 'columns', 'owner', 'group', 'out', 'master'], strings: [], kinds: '' },
  /** Waits for the order `go`, then runs the program that comes with it. */
  wait: { code: 58, numbers: [], strings: [], kinds: '' },
  /** Becomes the container's init, which reaps and forwards signals; a child runs the rest of the program. */
  init: { code: 59, numbers: ['job'], strings: [], kinds: '' },
  /** Sets the program that runs when the monitored process is gone. The last one set counts. */
  on_exit: { code: 60, numbers: [], strings: ['program'], kinds: 'p' },
  /** Reports the content of a short kernel file, up to 4096 bytes. */
  read_file: { code: 61, numbers: ['dirfd'], strings: ['pathname'], kinds: 'z' },
  /** Operates on the kernel's keyrings: keyctl(2). */
  keyctl: { code: 62, numbers: ['operation'], strings: ['name'], kinds: 'o' },
  /** Opens a process into the slot `out`: pidfd_open(2). */
  pidfd_open: { code: 63, numbers: ['pid', 'flags', 'out'], strings: [], kinds: '' },
  /** Sets how the monitor made by `clone` logs, restarts, records and takes clients. */
  supervise: { code: 64, numbers: ['dirfd', 'flags', 'log_size', 'log_files', 'restart', 'restart_limit', 'events'], strings: ['attributes', 'detach_keys'], kinds: 'bb' },
  /** Copies a short kernel file, up to 4096 bytes, to another file. */
  copy_file: { code: 65, numbers: ['dirfd'], strings: ['pathname', 'newpath'], kinds: 'zz' },
  /** Reports how an overlay's upper directory changed its lower, or how two trees differ. */
  compare: { code: 66, numbers: ['dirfd', 'rootfd', 'marks'], strings: [], kinds: '' },
  /** Copies one object with its owner, permissions, times and attributes. */
  copy_object: { code: 67, numbers: ['olddirfd', 'newdirfd', 'flags'], strings: ['oldpath', 'newpath'], kinds: 'zz' },
  /** Reports one object with its attributes: statx(2). */
  statx: { code: 68, numbers: ['dirfd'], strings: ['pathname'], kinds: 'z' },
  /** Fails with ESTALE unless an object is the one that was seen. */
  expect: { code: 69, numbers: ['dirfd', 'what'], strings: ['pathname', 'seen'], kinds: 'zb' },
  /** Checks access to a file with the real ids: faccessat(2). */
  faccessat: { code: 70, numbers: ['dirfd', 'mode', 'flags'], strings: ['pathname'], kinds: 'z' },
  /** Sets the execution domain: personality(2). */
  personality: { code: 71, numbers: ['persona'], strings: [], kinds: '' },
  /** Sets the scheduling policy: sched_setattr(2). */
  sched_setattr: { code: 72, numbers: ['policy', 'flags', 'nice', 'priority', 'runtime', 'deadline', 'period'], strings: [], kinds: '' },
  /** Sets the I/O priority: ioprio_set(2). */
  ioprio_set: { code: 73, numbers: ['which', 'who', 'ioprio'], strings: [], kinds: '' },
  /** Sets the CPUs that the process may run on: sched_setaffinity(2). */
  sched_setaffinity: { code: 74, numbers: [], strings: ['mask'], kinds: 'b' },
  /** Sets the NUMA memory policy: set_mempolicy(2). */
  set_mempolicy: { code: 75, numbers: ['mode'], strings: ['mask'], kinds: 'b' },
  /** Connects a socket to a path: connect(2), unix(7). */
  connect: { code: 76, numbers: ['fd'], strings: ['pathname'], kinds: 'z' },
  /** Sends bytes and a descriptor through a socket: SCM_RIGHTS of unix(7). */
  send_fd: { code: 77, numbers: ['fd', 'passed'], strings: ['data'], kinds: 'b' },
  /** Puts a descriptor that the interpreter was started with into the slot `out`. */
  inherited: { code: 78, numbers: ['number', 'out'], strings: [], kinds: '' },
  /** Sends later replies to another descriptor. */
  reply_to: { code: 79, numbers: ['fd', 'least'], strings: [], kinds: '' },
  /** Duplicates a descriptor of another process into the slot `out`: pidfd_getfd(2). */
  pidfd_getfd: { code: 80, numbers: ['fd', 'targetfd', 'flags', 'out'], strings: [], kinds: '' },
  /** Loads a BPF program into the slot `out`: bpf(2). */
  bpf_prog_load: { code: 81, numbers: ['type', 'attach_type', 'out'], strings: ['instructions'], kinds: 'b' },
  /** Attaches a BPF program to a cgroup: bpf(2). */
  bpf_prog_attach: { code: 82, numbers: ['target_fd', 'attach_bpf_fd', 'attach_type', 'flags'], strings: [], kinds: '' },
  /** Makes an empty user namespace with an id mapping, in the slot `out`. */
  userns: { code: 83, numbers: ['out'], strings: ['uid_map', 'gid_map'], kinds: 'bb' },
  /** Gives stdin, stdout and stderr an owner where they are pipes. */
  own_stdio: { code: 84, numbers: ['owner', 'group'], strings: [], kinds: '' },
  /** Sends a netlink request and reports its answers: netlink(7). */
  netlink: { code: 85, numbers: ['fd'], strings: ['data'], kinds: 'b' },
  /** Runs `program` as another process that serves this one, such as a FUSE filesystem. */
  serve: { code: 86, numbers: ['signal'], strings: ['program'], kinds: 'p' },
  /** Stops the processes made by `serve` and waits for them. */
  end_served: { code: 87, numbers: ['milliseconds'], strings: [], kinds: '' },
  /** Waits until a process made by `serve` has written to `fd`, which shows that it is ready. */
  await_served: { code: 88, numbers: ['fd', 'milliseconds'], strings: [], kinds: '' },
  /** Makes an empty network namespace in the slot `out`. `userns_fd` -1 is this process's. */
  netns: { code: 89, numbers: ['userns_fd', 'out'], strings: [], kinds: '' },
  /** Runs `program`, which may fail with an ignored error: then the rest of it is skipped. */
  attempt: { code: 93, numbers: [], strings: ['program'], kinds: 'p' },
  /** Fails with ESTALE unless a descriptor refers to the object that was seen. */
  same_object: { code: 94, numbers: ['fd', 'type', 'dev_major', 'dev_minor', 'ino_high', 'ino_low', 'btime_sec', 'btime_nsec'], strings: [], kinds: '' },
  /** Renames an object if it is the one that was seen, else fails with ESTALE. */
  rename_seen: { code: 95, numbers: ['olddirfd', 'newdirfd', 'flags', 'what'], strings: ['oldpath', 'newpath', 'seen'], kinds: 'zzb' },
  /** Checks that a descriptor is inside a root, and at a path or outside of others. */
  landed: { code: 100, numbers: ['rootfd', 'fd', 'exact'], strings: ['pathname', 'outside'], kinds: 'zb' },
  /** Fails with ESTALE unless a path in a root is a mount point, read-only if asked. */
  covered: { code: 101, numbers: ['rootfd', 'readonly'], strings: ['pathname'], kinds: 'z' },
  /** Fails with ESTALE unless a descriptor's filesystem has a type: statfs(2). */
  expect_type: { code: 102, numbers: ['fd', 'type'], strings: [], kinds: '' },
  /** Reports a tree as this mount namespace shows it, contents and lower mounts included. */
  walk_seen: { code: 103, numbers: ['dirfd', 'without'], strings: ['pathname'], kinds: 'z' },
  /** Sends a signal to the process. */
  signal: { code: 200, numbers: ['signo'], strings: [], kinds: '' },
  /** Sets the window size of the process's terminal. */
  resize: { code: 201, numbers: ['rows', 'columns'], strings: [], kinds: '' },
  /** Resumes a program that waits, with the rest of it. */
  go: { code: 202, numbers: [], strings: ['program'], kinds: 'p' },
  /** Types up to 4096 bytes into the process's stdin. */
  input: { code: 203, numbers: [], strings: ['data'], kinds: 'b' },
  /** Sends a signal to the process and does not restart it. */
  stop: { code: 204, numbers: ['signo'], strings: [], kinds: '' },
  /** Closes the process's stdin. */
  end_input: { code: 205, numbers: [], strings: [], kinds: '' },
  /** Reports what happens to the process, and its output if asked. */
  watch: { code: 206, numbers: ['output'], strings: [], kinds: '' },
  /** Ends the monitor and leaves the process to its adopter. */
  leave: { code: 207, numbers: [], strings: [], kinds: '' },
  /** Gives the user's terminal to the process again. */
  foreground: { code: 208, numbers: [], strings: [], kinds: '' },
} as const;

/** Number fields that name a slot to read a descriptor from. */
export const FD_FIELDS: ReadonlySet<string> = new Set(['dirfd', 'from_dirfd', 'to_dirfd', 'userns_fd', 'fd', 'aux', 'newdirfd', 'olddirfd', 'cgroup', 'rootfd', 'events', 'passed', 'target_fd', 'attach_bpf_fd']);

/** Orders, which only a running monitor obeys; in a program they are refused. */
export type ControlName = 'signal' | 'resize' | 'go' | 'input' | 'stop' | 'end_input' | 'watch' | 'leave' | 'foreground';
export type OpName = Exclude<keyof typeof OPCODES, ControlName>;
