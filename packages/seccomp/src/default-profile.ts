import type { Action, ArgumentCondition, RuleCondition, SeccompProfile, SyscallRule } from './profile.js';

const EPERM = 1;
const ENOSYS = 38;
/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET (clone(2)). */
const NEW_NAMESPACES = 0x7e020000n;
const EINVAL = 22;
const AF_NETLINK = 16n;
const NETLINK_AUDIT = 9n;
/** The highest protocol number of netlink(7) (linux/netlink.h). */
const NETLINK_LAST = 22n;
/**
 * Allowed socket families (socket(2)). It is a list of allowed families because the kernel reads only the lower half of the
 * argument: a denied family would pass with a bit in the upper half. These families are missing:
 *
 * - DECnet, Econet, ATM SVCs, IrDA, WANPIPE, ISDN, CAIF and future families, which programs do not need;
 * - AF_ALG (38), which CVE-2026-31431 used to write to the page cache;
 * - AF_VSOCK (40), which reaches the hypervisor from any network namespace.
 */
const FAMILIES: readonly bigint[] = [
  ...[0n, 1n, 2n, 3n, 4n, 5n, 6n, 7n, 8n, 9n, 10n, 11n, 13n, 14n, 15n, AF_NETLINK, 17n, 18n, 21n, 22n, 24n],
  ...[26n, 27n, 28n, 29n, 30n, 31n, 32n, 33n, 35n, 36n, 39n, 41n, 42n, 43n, 44n, 45n],
];
/** PER_LINUX, PER_LINUX32, UNAME26, the last two together, and the value that queries the current one (personality(2)). */
const PERSONALITIES = [0n, 8n, 0x20000n, 0x20008n, 0xffffffffn];

const words = (text: string): string[] => text.split(/\s+/).filter(Boolean);

/** The calls that every container may make, by subject. */
const ALLOWED: readonly string[] = [
  // Files by descriptor and by name.
  ...words(`
    access chdir chmod chown close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2 fadvise64 fallocate
    fchdir fchmod fchmodat fchmodat2 fchown fchownat fcntl fdatasync fgetxattr file_getattr file_setattr flistxattr flock
    fremovexattr fsetxattr fstat fstatfs fsync ftruncate futimesat getcwd getdents getdents64 getxattr getxattrat lchown
    lgetxattr link linkat listxattr listxattrat llistxattr lremovexattr lseek lsetxattr lstat mkdir mkdirat mknod mknodat
    name_to_handle_at newfstatat open openat openat2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readahead readlink
    readlinkat readv removexattr removexattrat rename renameat renameat2 rmdir sendfile setxattr setxattrat splice stat
    statfs statx symlink symlinkat sync sync_file_range syncfs tee truncate umask unlink unlinkat utime utimensat utimes write writev`),
  // Waiting for things to happen.
  ...words(`
    epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2
    fanotify_mark inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel io_destroy io_getevents
 io_setup io_submit pipe pipe2 poll ppoll pselect6 select signalfd signalfd4 timerfd_create
    timerfd_gettime timerfd_settime`),
  // Memory.
  ...words(`
    brk madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mlock mlock2 mlockall mmap mprotect mremap mseal
    msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect process_mrelease remap_file_pages
    uprobe uretprobe`),
  // Processes and threads.
  ...words(`
    arch_prctl capget capset execve execveat exit exit_group fork futex futex_requeue futex_wait futex_waitv futex_wake
    get_robust_list get_thread_area getegid geteuid getgid getgroups getpgid getpgrp getpid getppid getpriority getresgid
    getresuid getrlimit getrusage getsid gettid getuid ioprio_get ioprio_set kill landlock_add_rule
    landlock_create_ruleset landlock_restrict_self modify_ldt pause pidfd_open pidfd_send_signal prctl prlimit64
    restart_syscall rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend
    rt_sigtimedwait rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr
    sched_getparam sched_getscheduler sched_rr_get_interval sched_setaffinity sched_setattr sched_setparam
    sched_setscheduler sched_yield seccomp set_robust_list set_thread_area set_tid_address setfsgid setfsuid setgid
    setgroups setpgid setpriority setregid setresgid setresuid setreuid setrlimit setsid setuid sigaltstack tgkill tkill
    listmount statmount uname vfork wait4 waitid getcpu sysinfo getrandom times ioctl`),
  // Time.
  ...words(`
    adjtimex alarm clock_adjtime clock_getres clock_gettime clock_nanosleep getitimer gettimeofday nanosleep setitimer time
    timer_create timer_delete timer_getoverrun timer_gettime timer_settime`),
  // The network, and communication between processes.
  ...words(`
    accept accept4 bind connect getpeername getsockname getsockopt listen recvfrom recvmmsg recvmsg sendmmsg sendmsg sendto
    setsockopt shutdown socketpair mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedsend mq_unlink msgctl msgget
    msgrcv msgsnd semctl semget semop semtimedop shmat shmctl shmdt shmget`),
];

/** Calls that need a capability. Without the capability they fail with the error that the kernel would return. */
const BY_CAPABILITY: Readonly<Record<string, readonly string[]>> = {
  CAP_DAC_READ_SEARCH: words('open_by_handle_at'),
  CAP_SYS_ADMIN: words(`
    bpf clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie lsm_get_self_attr lsm_list_modules
    lsm_set_self_attr mount mount_setattr move_mount open_tree open_tree_attr perf_event_open pivot_root quotactl
    quotactl_fd setdomainname sethostname setns syslog umount2 unshare`),
  CAP_SYS_BOOT: words('kexec_file_load kexec_load reboot'),
  CAP_SYS_CHROOT: words('chroot'),
  CAP_SYS_MODULE: words('delete_module finit_module init_module'),
  CAP_SYS_PACCT: words('acct'),
  CAP_SYS_PTRACE: words('kcmp pidfd_getfd process_madvise'),
  CAP_SYS_RAWIO: words('ioperm iopl'),
  CAP_SYS_TIME: words('clock_settime settimeofday'),
  CAP_SYS_TTY_CONFIG: words('vhangup'),
  CAP_SYS_NICE: words('get_mempolicy mbind migrate_pages move_pages set_mempolicy set_mempolicy_home_node'),
  CAP_SYSLOG: words('syslog'),
  CAP_BPF: words('bpf'),
  CAP_PERFMON: words('perf_event_open'),
};

/** Calls that are always denied. Keyrings and the page cache are not separate for each container; the other calls had many vulnerabilities. */
const REFUSED: readonly string[] = words(
  'cachestat add_key keyctl request_key userfaultfd vmsplice io_pgetevents io_uring_enter io_uring_register io_uring_setup swapoff swapon uselib ustat sysfs',
);

const rule = (
  names: readonly string[],
  action: Action,
  more: { errnoRet?: number; args?: readonly ArgumentCondition[]; includes?: RuleCondition; excludes?: RuleCondition } = {},
): SyscallRule => ({ names, action, ...more });

const family = (value: bigint): ArgumentCondition => ({ index: 0, value, op: 'SCMP_CMP_EQ' });
/** All netlink protocols except audit, for containers without an audit capability. */
const netlinkProtocols: readonly bigint[] = Array.from({ length: Number(NETLINK_LAST) + 1 }, (_, i) => BigInt(i)).filter((value) => value !== NETLINK_AUDIT);

/** Further capabilities that allow a call. */
function ownersOf(name: string): string[] {
  return Object.entries(BY_CAPABILITY).flatMap(([capability, names]) => (names.includes(name) ? [capability] : []));
}

/**
 * The profile of containers that do not set another one: a list of allowed calls, as in Docker and podman.
 * SECURITY.md compares the three.
 *
 * - Known calls that are not allowed fail with EPERM, as without the capability.
 * - Unknown calls fail with ENOSYS, so that programs fall back to older calls.
 * - Only CAP_SYS_ADMIN allows new namespaces.
 * - `clone3` fails without it, because a filter cannot read its flags.
 */
export const DEFAULT_PROFILE: SeccompProfile = {
  defaultAction: 'SCMP_ACT_ERRNO',
  defaultErrnoRet: ENOSYS,
  syscalls: [
    rule(ALLOWED, 'SCMP_ACT_ALLOW'),
    ...FAMILIES.filter((value) => value !== AF_NETLINK).map((value) => rule(['socket'], 'SCMP_ACT_ALLOW', { args: [family(value)] })),
    rule(['socket'], 'SCMP_ACT_ALLOW', { args: [family(AF_NETLINK)], includes: { caps: ['CAP_AUDIT_WRITE'] } }),
    ...netlinkProtocols.map((value) =>
      rule(['socket'], 'SCMP_ACT_ALLOW', { args: [family(AF_NETLINK), { index: 2, value, op: 'SCMP_CMP_EQ' }], excludes: { caps: ['CAP_AUDIT_WRITE'] } }),
    ),
    // The error of a kernel without audit. Login programs then continue without it.
    rule(['socket'], 'SCMP_ACT_ERRNO', { errnoRet: EINVAL, args: [family(AF_NETLINK)], excludes: { caps: ['CAP_AUDIT_WRITE'] } }),
    rule(['socket'], 'SCMP_ACT_ERRNO', { errnoRet: EPERM }),
    ...PERSONALITIES.map((value) => rule(['personality'], 'SCMP_ACT_ALLOW', { args: [{ index: 0, value, op: 'SCMP_CMP_EQ' }] })),
    rule(['personality'], 'SCMP_ACT_ERRNO', { errnoRet: EPERM }),
    // Before 4.8, a tracer could change a call after the filter had checked it.
    rule(words('process_vm_readv process_vm_writev ptrace'), 'SCMP_ACT_ALLOW', { includes: { minKernel: '4.8' } }),
    rule(['clone'], 'SCMP_ACT_ALLOW', {
      args: [{ index: 0, value: NEW_NAMESPACES, valueTwo: 0n, op: 'SCMP_CMP_MASKED_EQ' }],
      excludes: { caps: ['CAP_SYS_ADMIN'] },
    }),
    rule(['clone'], 'SCMP_ACT_ALLOW', { includes: { caps: ['CAP_SYS_ADMIN'] } }),
    rule(['clone'], 'SCMP_ACT_ERRNO', { errnoRet: EPERM, excludes: { caps: ['CAP_SYS_ADMIN'] } }),
    ...Object.entries(BY_CAPABILITY).flatMap(([capability, names]) => [
      rule(names, 'SCMP_ACT_ALLOW', { includes: { caps: [capability] } }),
      // With ENOSYS for clone3, libraries fall back to clone.
      ...names.filter((name) => name !== 'clone3').map((name) => rule([name], 'SCMP_ACT_ERRNO', { errnoRet: EPERM, excludes: { caps: ownersOf(name) } })),
    ]),
    rule(REFUSED, 'SCMP_ACT_ERRNO', { errnoRet: EPERM }),
  ],
};
