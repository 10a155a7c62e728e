import path from 'node:path';
import { diagnose, OverlayError } from '@lamella/overlay';
import { LOCK, MOUNT_ATTR, SyscallError } from '@lamella/syscall';
import { explainMoved } from '../filesystem/sources/check-sources.js';
import { occupied } from '../filesystem/workspace-occupied.js';
import { explainPasta } from '../isolation/pasta.js';
import { rangeTaken } from '../isolation/userns.js';
import { EngineError } from '../model/engine-error.js';
import type { EngineErrorCode } from '../model/error-codes.js';
import { nameTaken } from '../store/names.js';
import type { Plan } from './plan/plan.js';

/** Explains a failed call of a run. */
export async function explainFailure(
  error: unknown,
  { id, directory, stack, others, sources }: Pick<Plan, 'id' | 'directory' | 'stack' | 'others' | 'sources'>,
  workspace: string | undefined,
): Promise<unknown> {
  if (!(error instanceof SyscallError)) return error;
  const { op, code } = error;
  const moved = explainMoved(error, sources);
  if (moved) return moved;
  const make = (code: EngineErrorCode, message: string, hint: string): EngineError => new EngineError({ code, message, hint, cause: error });
  if (op.op === 'symlinkat' && code === 'EEXIST' && path.basename(String(op.linkpath)).startsWith('@')) return rangeTaken(error);
  if (op.op === 'mount_setattr' && op.attr_set & MOUNT_ATTR.IDMAP && (code === 'EINVAL' || code === 'EPERM'))
    return make(
      'USERNS_UNSUPPORTED',
      `a filesystem of the container cannot be seen with other ids: ${code}`,
      'Choose another --root, or --userns host; for the store fuse-overlayfs helps, too. Mapping ids takes Linux 5.19, and ext4, xfs or btrfs (tmpfs since 6.3) below the store and the volumes with `idmap` or `overlay`.',
    );
  const network = explainPasta(error);
  if (network) return network;
  if (op.op === 'userns')
    return make(
      'USERNS_BLOCKED',
      `a user namespace cannot be made: ${code}`,
      'sysctl user.max_user_namespaces must be above 0, and the ids those of the host.',
    );
  if (op.op === 'symlinkat' && code === 'EEXIST') return nameTaken(path.basename(String(op.linkpath)), error);
  if (op.op === 'mkdirat' && op.pathname === directory) {
    return make('ROOT_UNUSABLE', `${directory} cannot be made: ${code}`, 'Choose another store with --root or LAMELLA_ROOT.');
  }
  if (op.op === 'mkdirat' && code === 'EEXIST' && workspace !== undefined) return occupied(String(op.pathname));
  if (op.op === 'flock' && code === 'EAGAIN' && op.operation & LOCK.EX && workspace === undefined)
    return make('CONTAINER_RUNNING', `the container ${id} is running`, 'lamella ps lists those that do.');
  if (op.op === 'openat' && code === 'ENOENT' && op.pathname === path.join(directory, 'lock'))
    return make('CONTAINER_NOT_FOUND', `the container ${id} has just been removed`, 'lamella ps -a lists those that are.');
  if (op.op === 'flock' && code === 'EAGAIN')
    return workspace === undefined
      ? make('IMAGE_IN_REMOVAL', 'the image is being removed', 'Import it again.')
      : make('WORKSPACE_OCCUPIED', `another run uses the workspace ${workspace}`, 'Wait for its end.');
  if (op.op === 'openat' && code === 'ENOENT' && String(op.pathname).endsWith('/meta.json'))
    return make('IMAGE_IN_REMOVAL', 'the image has just been removed', 'Import it again.');
  if (op.op === 'write_file' && String(op.pathname).startsWith('/sys/fs/cgroup/'))
    return make(
      'LIMIT_REFUSED',
      `the limit ${path.basename(String(op.pathname))} cannot be set to ${String(op.data)}: ${code}`,
      code === 'EBUSY' ? 'The cgroup that it would be set below has processes in it; run from outside of a container.' : 'The kernel refuses that value here.',
    );
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return make('NO_SPACE', `no space is left for the container: ${error.message}`, 'Free some, or choose another --root.');
  // The kernel does not say which of several mounts it refused: what can be seen of one explains it.
  const found: OverlayError[] = [];
  for (const each of [stack, ...others.map((view) => ({ ...view, merged: directory }))]) {
    // The container's own directories were removed when it failed.
    const explained = await diagnose(error, each, directory);
    if (explained instanceof OverlayError) found.push(explained);
  }
  return found.find((each) => each.code !== 'OVERLAY_REFUSED') ?? found[0] ?? error;
}
