import type { Action, ArgumentCondition, RuleCondition, SeccompProfile, SyscallRule } from '@lamella/seccomp';

/**
 * What the default filters of Docker and podman say about the calls of x86_64, as lists of facts:
 *
 * - Docker: github.com/moby/profiles, seccomp/default.json at 02e898b137aed1024e232d59bcb05e6179b72177 (2026). Docker 28.3.3 and later have
 *   theirs from there; its rules for families of sockets came with 29.4.2 and later (CVE-2026-31431).
 * - podman 5: github.com/podman-container-tools/container-libs, common/pkg/seccomp/seccomp.json at 7a5bc89e215cde796e6e25c8a6d37362e81b8be0
 *   (2026), which is installed as /usr/share/containers/seccomp.json.
 */
const EPERM = 1;
const EINVAL = 22;
const ENOSYS = 38;

const words = (text: string): string[] => text.split(/\s+/).filter(Boolean);

const ALLOWED_BY_BOTH = words(`
  accept accept4 access adjtimex alarm bind brk capget capset chdir chmod chown clock_adjtime clock_getres clock_gettime clock_nanosleep
  close close_range connect copy_file_range creat dup dup2 dup3 epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2
  epoll_wait epoll_wait_old eventfd eventfd2 execve execveat exit exit_group faccessat faccessat2 fadvise64 fallocate fanotify_mark fchdir
  fchmod fchmodat fchown fchownat fcntl fdatasync fgetxattr flistxattr flock fork fremovexattr fsetxattr fstat fstatfs fsync ftruncate
  futex futimesat get_robust_list get_thread_area getcpu getcwd getdents getdents64 getegid geteuid getgid getgroups getitimer getpeername
  getpgid getpgrp getpid getppid getpriority getrandom getresgid getresuid getrlimit getrusage getsid getsockname getsockopt gettid
  gettimeofday getuid getxattr inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel io_destroy io_getevents io_setup
  io_submit ioctl ioprio_get ioprio_set kill landlock_add_rule landlock_create_ruleset landlock_restrict_self lchown lgetxattr link linkat
  listen listxattr llistxattr lremovexattr lseek lsetxattr lstat madvise membarrier memfd_create memfd_secret mincore mkdir mkdirat mknod
  mknodat mlock mlock2 mlockall mmap mprotect mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedsend mq_unlink mremap msgctl msgget
  msgrcv msgsnd msync munlock munlockall munmap name_to_handle_at nanosleep newfstatat open openat openat2 pause pidfd_open
  pidfd_send_signal pipe pipe2 pkey_alloc pkey_free pkey_mprotect poll ppoll prctl pread64 preadv preadv2 prlimit64 process_mrelease
  pselect6 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv recvfrom recvmmsg recvmsg remap_file_pages removexattr rename
  renameat renameat2 restart_syscall rmdir rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend
  rt_sigtimedwait rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam
  sched_getscheduler sched_rr_get_interval sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield seccomp select
  semctl semget semop semtimedop sendfile sendmmsg sendmsg sendto set_robust_list set_thread_area set_tid_address setfsgid setfsuid setgid
  setgroups setitimer setpgid setpriority setregid setresgid setresuid setreuid setrlimit setsid setsockopt setuid setxattr shmat shmctl
  shmdt shmget shutdown sigaltstack signalfd signalfd4 socketpair splice stat statfs statx symlink symlinkat sync sync_file_range syncfs
  sysinfo tee tgkill time timer_create timer_delete timer_getoverrun timer_gettime timer_settime timerfd_create timerfd_gettime
  timerfd_settime times tkill truncate umask uname unlink unlinkat utime utimensat utimes vfork wait4 waitid write writev
`);

const ALLOWED_BY_DOCKER = words(`
  cachestat fchmodat2 futex_requeue futex_wait futex_wake futex_waitv getxattrat io_pgetevents listmount listxattrat map_shadow_stack mseal
  removexattrat setxattrat statmount uretprobe vmsplice arch_prctl modify_ldt`);

const ALLOWED_BY_PODMAN = words(`
  clone clone3 fanotify_init fchmodat2 fsconfig fsmount fsopen fspick futex_requeue futex_wait futex_wake futex_waitv get_mempolicy keyctl mbind
  mount mount_setattr move_mount open_tree pidfd_getfd pivot_root process_vm_readv process_vm_writev ptrace reboot set_mempolicy setns syslog
  umount2 unshare arch_prctl modify_ldt`);

/** What podman denies with EPERM instead of ENOSYS. */
const DENIED_BY_PODMAN = words(`
  cachestat io_pgetevents kexec_file_load kexec_load map_shadow_stack migrate_pages move_pages nfsservctl swapoff swapon sysfs uselib userfaultfd
  ustat vmsplice`);

const DOCKER_BY_CAPABILITY: Readonly<Record<string, readonly string[]>> = {
  CAP_DAC_READ_SEARCH: words('open_by_handle_at'),
  CAP_SYS_ADMIN: words(`
    bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie lsm_get_self_attr lsm_list_modules lsm_set_self_attr mount
    mount_setattr move_mount open_tree perf_event_open quotactl quotactl_fd setdomainname sethostname setns syslog umount2 unshare`),
  CAP_SYS_BOOT: words('reboot'),
  CAP_SYS_CHROOT: words('chroot'),
  CAP_SYS_MODULE: words('delete_module init_module finit_module'),
  CAP_SYS_PACCT: words('acct'),
  CAP_SYS_PTRACE: words('kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace'),
  CAP_SYS_RAWIO: words('iopl ioperm'),
  CAP_SYS_TIME: words('settimeofday clock_settime'),
  CAP_SYS_TTY_CONFIG: words('vhangup'),
  CAP_SYS_NICE: words('get_mempolicy mbind set_mempolicy set_mempolicy_home_node'),
  CAP_SYSLOG: words('syslog'),
  CAP_BPF: words('bpf'),
  CAP_PERFMON: words('perf_event_open'),
};

const PODMAN_BY_CAPABILITY: Readonly<Record<string, readonly string[]>> = {
  CAP_DAC_READ_SEARCH: words('open_by_handle_at'),
  CAP_SYS_ADMIN: words('bpf lookup_dcookie perf_event_open quotactl quotactl_fd setdomainname sethostname'),
  CAP_SYS_CHROOT: words('chroot'),
  CAP_SYS_MODULE: words('delete_module finit_module init_module query_module'),
  CAP_SYS_PACCT: words('acct'),
  CAP_SYS_PTRACE: words('kcmp process_madvise'),
  CAP_SYS_RAWIO: words('ioperm iopl'),
  CAP_SYS_TIME: words('clock_settime settimeofday'),
  CAP_SYS_TTY_CONFIG: words('vhangup'),
  CAP_BPF: words('bpf'),
  CAP_PERFMON: words('perf_event_open'),
};

/** Families of sockets that Docker allows one by one; those below 12 it allows together. */
const DOCKER_FAMILIES = [13, 14, 15, 16, 17, 18, 21, 22, 24, 26, 27, 28, 29, 30, 31, 32, 33, 35, 36, 39, 41, 42, 43, 44, 45].map(BigInt);
const PERSONALITIES = [0n, 8n, 0x20000n, 0x20008n, 0xffffffffn];

interface Conditions {
  readonly errnoRet?: number;
  readonly args?: readonly ArgumentCondition[];
  readonly includes?: RuleCondition;
  readonly excludes?: RuleCondition;
}

const rule = (names: readonly string[], action: Action, more: Conditions = {}): SyscallRule => ({ names, action, ...more });
const allow = (names: readonly string[], more?: Conditions): SyscallRule => rule(names, 'SCMP_ACT_ALLOW', more);
const when = (index: number, op: ArgumentCondition['op'], value: bigint): ArgumentCondition => ({ index, op, value });
const personalities = PERSONALITIES.map((value) => allow(['personality'], { args: [when(0, 'SCMP_CMP_EQ', value)] }));

export const DOCKER: SeccompProfile = {
  defaultAction: 'SCMP_ACT_ERRNO',
  defaultErrnoRet: EPERM,
  syscalls: [
    allow([...ALLOWED_BY_BOTH, ...ALLOWED_BY_DOCKER]),
    allow(['process_vm_readv', 'process_vm_writev', 'ptrace'], { includes: { minKernel: '4.8' } }),
    allow(['socket'], { args: [when(0, 'SCMP_CMP_LT', 12n)] }),
    ...DOCKER_FAMILIES.map((value) => allow(['socket'], { args: [when(0, 'SCMP_CMP_EQ', value)] })),
    ...personalities,
    ...Object.entries(DOCKER_BY_CAPABILITY).map(([capability, names]) => allow(names, { includes: { caps: [capability] } })),
    allow(['clone'], { args: [{ ...when(0, 'SCMP_CMP_MASKED_EQ', 0x7e020000n), valueTwo: 0n }], excludes: { caps: ['CAP_SYS_ADMIN'] } }),
    rule(['clone3'], 'SCMP_ACT_ERRNO', { errnoRet: ENOSYS, excludes: { caps: ['CAP_SYS_ADMIN'] } }),
  ],
};

const withoutAudit = { excludes: { caps: ['CAP_AUDIT_WRITE'] } };

export const PODMAN: SeccompProfile = {
  defaultAction: 'SCMP_ACT_ERRNO',
  defaultErrnoRet: ENOSYS,
  syscalls: [
    rule(DENIED_BY_PODMAN, 'SCMP_ACT_ERRNO', { errnoRet: EPERM }),
    allow([...ALLOWED_BY_BOTH, ...ALLOWED_BY_PODMAN]),
    ...personalities,
    ...Object.entries(PODMAN_BY_CAPABILITY).flatMap(([capability, names]) => [
      allow(names, { includes: { caps: [capability] } }),
      ...names.map((name) =>
        rule([name], 'SCMP_ACT_ERRNO', {
          errnoRet: EPERM,
          excludes: { caps: Object.entries(PODMAN_BY_CAPABILITY).flatMap(([each, theirs]) => (theirs.includes(name) ? [each] : [])) },
        }),
      ),
    ]),
    rule(['socket'], 'SCMP_ACT_ERRNO', { errnoRet: EPERM, args: [when(0, 'SCMP_CMP_EQ', 40n)] }),
    rule(['socket'], 'SCMP_ACT_ERRNO', { errnoRet: EPERM, args: [when(0, 'SCMP_CMP_EQ', 38n)] }),
    rule(['socket'], 'SCMP_ACT_ERRNO', { errnoRet: EINVAL, args: [when(0, 'SCMP_CMP_EQ', 16n), when(2, 'SCMP_CMP_EQ', 9n)], ...withoutAudit }),
    allow(['socket']),
  ],
};
