import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { freezeCgroup, isCgroupFrozen, processesOf, removeCgroup, stopScope } from '@lamella/cgroup';
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
 * `delete` (runtime.md, "Delete"). With `force` a container that runs is killed first, one that is not there is no
 * error, and one whose state is damaged goes as well.
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
    // It is not there, or not any more: what is read next says so.
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
      hint: 'Kill it first, or use --force.',
    });
  let config: OciConfig | undefined;
  try {
    config = readStoredConfig(directory.config);
  } catch (error) {
    if (!force) throw error;
    log.warn(`the configuration of container ${id} cannot be read, so its poststop hooks are not run: ${(error as Error).message}`);
  }
  await destroy(found, config, log);
}

/** End whatever of it still lives, and undo what was made for it. */
export async function destroy(found: Found, config: OciConfig | undefined, log: Log): Promise<void> {
  const { directory, stored } = found;
  await killAll(stored);
  await releaseCgroup(stored);
  if (stored.rdt) removeRdtGroup(stored.rdt);
  if (stored.mountsOnHost) await unmountAll(stored.rootfs);
  if (config) await tryHooks('poststop', config, stateOf(stored, 'stopped'), { cwd: stored.bundle }, log.warn);
  removeDirectory(directory);
}

/** Take away what was made of its cgroups; systemd's is systemd's to remove. */
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
    // With a pid namespace of its own nothing outlives its init. What shares one with others has to be found in its
    // cgroup; in one that was there before there may be others, too, which are nobody's to kill.
    const others = ownProcesses ? [] : processesOf(stored.cgroup.filter(({ found }) => !found)).filter((pid) => pid !== process.pid);
    const all = [...init, ...others];
    if (!all.length) return;
    if (tries % 100 === 0) {
      for (const pid of all) signal(pid);
      // A stopped process of a version 1 freezer does not even die.
      if (isCgroupFrozen(stored.cgroup)) await freezeCgroup(stored.cgroup, false);
    }
    await sleep(tries < 50 ? 1 : 5);
  }
  throw new OciError({
    code: 'KILL_FAILED',
    message: `the processes of container ${stored.id} do not end, though they were killed`,
    hint: 'One is in a system call that cannot be interrupted; try again.',
  });
}

/** A container without a mount namespace of its own left its mounts on the host. */
async function unmountAll(rootfs: string): Promise<void> {
  await run([{ op: 'umount2', target: rootfs, flags: MNT.DETACH | MNT.UMOUNT_NOFOLLOW, ignore: ['EINVAL', 'ENOENT'] }]);
}
