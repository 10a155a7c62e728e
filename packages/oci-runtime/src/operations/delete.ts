import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { isCgroupFrozen, processesOf, removeCgroup, setCgroupFrozen, stopScope } from '@lamella/cgroup';
import { lockFile, MNT, run } from '@lamella/syscall';
import { readStoredConfig } from '../config/read-config.js';
import type { OciConfig } from '../config/schema.js';
import { OciError } from '../errors/oci-error.js';
import { tryHooks } from '../hooks/run-hooks.js';
import type { Log } from '../model/log.js';
import { removeRdtGroup } from '../resources/intel-rdt.js';
import { type StateDirectory, stateDirectory } from '../state/state-directory.js';
import { isAlive, readStored, removeDirectory, type StoredContainer, stateOf, statusOf } from '../state/stored-container.js';

interface Found {
  readonly directory: StateDirectory;
  readonly stored: StoredContainer;
}

/**
 * Deletes a container and what was made for it (runtime.md, "Delete"). With `force` a running container is killed first, a missing
 * one is not an error, and one with a damaged state is removed.
 *
 * @throws OciError `CONTAINER_MISSING`, `CONTAINER_NOT_STOPPED`, `STATE_DAMAGED`
 */
export async function deleteContainer(root: string, id: string, force: boolean, log: Log): Promise<void> {
  const directory = stateDirectory(root, id);
  if (force && !existsSync(directory.path)) {
    if (existsSync(root)) removeDirectory(directory);
    return;
  }
  await using _lock = await lockFile(directory.lock).catch((error: { code?: string }) => {
    // The container does not exist: readStored throws CONTAINER_MISSING.
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  let found: Found;
  try {
    found = readStored(root, id);
  } catch (error) {
    if (!force) throw error;
    removeDirectory(directory);
    return;
  }
  const status = statusOf(found);
  if (status !== 'stopped' && !force)
    throw new OciError({
      code: 'CONTAINER_NOT_STOPPED',
      message: `cannot delete container ${id} that is not stopped: ${status}`,
      hint: `Kill it first: lamella-oci delete --force ${id}`,
    });
  let config: OciConfig | undefined;
  try {
    config = readStoredConfig(directory.config);
  } catch (error) {
    if (!force) throw error;
    log.warn(`cannot read the configuration of container ${id}; its poststop hooks do not run: ${(error as Error).message}`);
  }
  await destroy(found, config, log);
}

/** Kills the processes of a container and removes what was made for it. */
export async function destroy(found: Found, config: OciConfig | undefined, log: Log): Promise<void> {
  const { directory, stored } = found;
  await killAll(stored);
  await releaseCgroup(stored);
  if (stored.rdt) removeRdtGroup(stored.rdt);
  if (stored.mountsOnHost) await unmountAll(stored.rootfs);
  if (config) await tryHooks('poststop', config, stateOf(stored, 'stopped'), { cwd: stored.bundle }, log.warn);
  removeDirectory(directory);
}

/** Removes the cgroups that were made for a container. systemd removes its scope itself. */
export async function releaseCgroup({ cgroup, scope }: StoredContainer): Promise<void> {
  if (scope) stopScope(scope);
  await removeCgroup(cgroup);
}

async function killAll(stored: StoredContainer): Promise<void> {
  const signal = (pid: number): void => {
    try {
      process.kill(pid, 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  };
  const ownProcesses = stored.namespaces.includes('pid');
  for (let tries = 0; tries < 2000; tries++) {
    const init = isAlive(stored.init, stored.boot) ? [stored.init?.pid ?? 0] : [];
    // In its own pid namespace no process outlives the init. Otherwise the processes are found by the cgroup, but not in a
    // cgroup that existed before: other processes may be in it.
    const others = ownProcesses ? [] : processesOf(stored.cgroup.filter(({ existed }) => !existed)).filter((pid) => pid !== process.pid);
    const all = [...init, ...others];
    if (!all.length) return;
    if (tries % 100 === 0) {
      for (const pid of all) signal(pid);
      // A process in a frozen cgroup of version 1 does not die.
      if (isCgroupFrozen(stored.cgroup)) await setCgroupFrozen(stored.cgroup, false);
    }
    await sleep(tries < 50 ? 1 : 5);
  }
  throw new OciError({
    code: 'KILL_FAILED',
    message: `cannot kill container ${stored.id}: its processes are still running after SIGKILL`,
    hint: `A process is in an uninterruptible system call. Try again: lamella-oci delete --force ${stored.id}`,
  });
}

/** Unmounts what a container without a mount namespace left mounted on the host. */
async function unmountAll(rootfs: string): Promise<void> {
  await run([{ op: 'umount2', target: rootfs, flags: MNT.DETACH | MNT.UMOUNT_NOFOLLOW, ignore: ['EINVAL', 'ENOENT'] }]);
}
