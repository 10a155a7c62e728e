import type { OptionErrorCode } from '@lamella/syscall';

/** The codes of {@link NamespaceError}, each with its meaning. The reference of errors is made from this table. */
export const NAMESPACE_ERROR_CODES = {
  ROOTFS_INVALID: 'The path cannot become the root filesystem of a container.',
  COMMAND_MISSING: 'The specification has no command.',
  CWD_INVALID: 'The working directory is not an absolute path.',
  HOSTNAME_INVALID: 'The host name is invalid.',
  RLIMIT_UNKNOWN: 'A resource limit has a name that setrlimit(2) does not define.',
  TERMINAL_WITHOUT_DEVPTS: 'A terminal needs a devpts filesystem among the mounts.',
  FILE_WITHOUT_DEV: 'A file below `/dev` is listed before the `dev` mount that has to hold it.',
  USER_INVALID: 'The user is not `USER[:GROUP]`.',
  OOM_SCORE_INVALID: 'The value is not a valid `oom_score_adj`.',
  SIGNAL_UNKNOWN: 'There is no signal of this name or number.',
  MAX_BUFFER: 'A stream had more data than `maxBuffer`.',
  OUTPUT_DROPPED: 'A stream of output was discarded before it was read to its end.',
  INPUT_FAILED: 'The input of the command cannot be read.',
  OUTPUT_FAILED: 'A file for the output of the command cannot be written.',
  USER_NOT_FOUND: '`/etc/passwd` of the container has no such user.',
  GROUP_NOT_FOUND: '`/etc/group` of the container has no such group.',
  USER_GROUPS: 'The user has more groups than the kernel accepts.',
  USER_UNMAPPED: 'The user namespace has no such user.',
  USERS_UNREADABLE: '`/etc/passwd` or `/etc/group` of the container cannot be read.',
  COMMAND_NOT_FOUND: 'The command does not exist in the container (exit status 127).',
  COMMAND_NOT_EXECUTABLE: 'The command cannot be executed (exit status 126).',
  COMMAND_TOO_LONG: 'Arguments and environment are larger than the kernel accepts.',
  BIND_SOURCE_MISSING: 'The source of a bind mount does not exist.',
  MOUNT_TARGET_INVALID: 'The target of a mount is of another type than its source, or a link leads away from it.',
  MOUNT_TARGET_MISSING: 'The target of a mount does not exist, and its directory is read-only.',
  MOUNT_REFUSED: 'The kernel refused a mount.',
  MASK_FAILED: 'A path could not be masked.',
  MOUNT_MASKED: '`/proc` or `/sys` cannot be mounted in this user namespace.',
  NAMESPACE_BLOCKED: 'This machine does not allow new namespaces.',
  NAMESPACE_UNSUPPORTED: 'The kernel does not support a namespace.',
  RLIMIT_DENIED: 'The kernel refused a resource limit.',
  OOM_SCORE_DENIED: 'The kernel refused the `oom_score_adj`.',
  SECCOMP_DENIED: 'The kernel refused the seccomp filter.',
} as const;

/** The code of a {@link NamespaceError}. */
export type NamespaceErrorCode = keyof typeof NAMESPACE_ERROR_CODES | OptionErrorCode;

/** The codes of {@link CommandError}, each with its meaning. */
export const COMMAND_ERROR_CODES = {
  COMMAND_FAILED: 'The command ended with another exit status than 0, or a signal ended it.',
  COMMAND_TIMED_OUT: 'The command took longer than `timeout`, and was stopped.',
  COMMAND_CANCELED: '`cancelSignal` stopped the command.',
  MAX_BUFFER: 'The command wrote more than `maxBuffer`.',
  STREAM_FAILED: 'The command ended with exit status 0, but one of its streams failed.',
} as const;

/** The code of a {@link CommandError}. */
export type CommandErrorCode = keyof typeof COMMAND_ERROR_CODES;
