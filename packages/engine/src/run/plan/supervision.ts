import path from 'node:path';
import { directoryOf } from '@lamella/cleanup';
import { AT_FDCWD, bootId, O, type Program, RESTART, type SlotAllocator, SUPERVISE } from '@lamella/syscall';
import type { ContainerConfig } from '../../model/container-config.js';
import type { PlannedIdentity } from './identity.js';
import { logBounds } from './log-bounds.js';
import type { PlanRequest } from './plan-request.js';

/** As with Docker: ctrl-p ctrl-q. */
const DEFAULT_DETACH_KEYS = '\u0010\u0011';

/** Returns the ops that tell the monitor what to log and record, whether to outlive this process, and when to restart the command. */
export function planSupervision({ spec, life }: PlanRequest, { record }: PlannedIdentity, config: ContainerConfig, slots: SlotAllocator): Program {
  const [dirfd, events] = [slots(), slots()];
  const { LISTEN, LOG, DETACHED, INPUT, RECORD, CREATED, REMOVED } = SUPERVISE;
  const told = (life.again ? 0 : CREATED) | (spec.keep && !spec.removeAtEnd ? 0 : REMOVED);
  const detached = life.detached ? LOG | DETACHED | (spec.input?.forward && !spec.terminal ? INPUT : 0) : 0;
  const bounds = logBounds(spec);
  const policy = spec.restart?.policy === 'unless-stopped' ? 'always' : (spec.restart?.policy ?? 'no');
  const { name } = config.spec;
  const attributes = { boot: bootId(), id: record.id, image: config.image, ...(name === undefined ? {} : { name }) };
  return [
    { op: 'openat', dirfd: AT_FDCWD, pathname: directoryOf(record), flags: O.PATH | O.DIRECTORY | O.CLOEXEC, mode: 0, out: dirfd },
    {
      op: 'openat',
      dirfd: AT_FDCWD,
      pathname: path.join(record.containers, '.events'),
      flags: O.WRONLY | O.APPEND | O.CREAT | O.CLOEXEC,
      mode: 0o600,
      out: events,
    },
    {
      op: 'supervise',
      dirfd,
      flags: LISTEN | (spec.keep ? RECORD : 0) | detached | told,
      log_size: bounds.maxSize,
      log_files: bounds.maxFiles,
      restart: RESTART[policy],
      restart_limit: spec.restart?.limit ?? 0,
      events,
      // The members of an object, without its braces.
      attributes: JSON.stringify(attributes).slice(1, -1),
      detach_keys: spec.terminal && spec.input?.forward ? (spec.detachKeys ?? DEFAULT_DETACH_KEYS) : '',
      // Some filesystems have no sockets: there nobody can attach to the container.
      ignore: ['EOPNOTSUPP', 'EPERM', 'ENOSYS'],
    },
  ];
}
