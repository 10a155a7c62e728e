import { closeSync, constants, openSync, promises, readdirSync, readlinkSync, rmSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { errnoName, lockFile, type Reply, replyParser } from '@lamella/syscall';
import { readStoredConfig } from '../config/read-config.js';
import type { OciConfig } from '../config/schema.js';
import { OciError } from '../errors/oci-error.js';
import { errnoText } from '../errors/op-purposes.js';
import { runHooks, tryHooks } from '../hooks/run-hooks.js';
import type { Log } from '../model/log.js';
import { filterOf } from '../process/seccomp.js';
import { sendListener } from '../process/seccomp-listener.js';
import type { StateDirectory } from '../state/state-directory.js';
import { isAlive, readStored, type StoredContainer, stateOf, statusOf } from '../state/stored-container.js';
import { destroy } from './delete.js';

/**
 * Starts the process of a created container (runtime.md, "Start"). Resolves once the process has been executed.
 *
 * @throws OciError `CONTAINER_NOT_CREATED`, `PROCESS_MISSING`, `HOOK_FAILED`, `EXEC_FAILED`
 */
export async function startContainer(root: string, id: string, log: Log): Promise<void> {
  const { directory } = readStored(root, id);
  await using _lock = await lockFile(directory.lock, { create: false });
  await startLocked(root, id, log);
}

/** Starts a container whose lock the caller holds. */
export async function startLocked(root: string, id: string, log: Log): Promise<void> {
  const found = readStored(root, id);
  const { directory, stored } = found;
  const status = statusOf(found);
  if (status !== 'created')
    throw new OciError({
      code: 'CONTAINER_NOT_CREATED',
      message: status === 'stopped' ? `cannot start a container that has stopped: ${id}` : `cannot start an already running container: ${id} is ${status}`,
      hint: 'A container can be started once, after it was created.',
    });
  const config = readStoredConfig(directory.config);
  if (!config.process)
    throw new OciError({
      code: 'PROCESS_MISSING',
      message: `container ${id} has no process to start`,
      hint: 'Create it again with a process in config.json.',
    });
  const pid = stored.init?.pid ?? 0;
  try {
    await runHooks('startContainer', config, stateOf(stored, 'created'), { pid, namespaces: stored.namespaces, filter: filterOf(config) });
  } catch (error) {
    // The container is destroyed (runtime.md, "Lifecycle", step 12).
    await destroy(found, config, log);
    throw error;
  }
  log.debug(`start ${id}: starting process ${pid}`);
  await release(directory, stored, config);
  try {
    if (failsWithPoststart(stored.ociVersion)) await runHooks('poststart', config, stateOf(stored, 'running'), { cwd: stored.bundle });
    else await tryHooks('poststart', config, stateOf(stored, 'running'), { cwd: stored.bundle }, log.warn);
  } catch (error) {
    // The container is destroyed (runtime.md, "Lifecycle", step 12).
    await destroy(found, config, log);
    throw error;
  }
}

/** Whether a failing poststart hook fails the start. Before 1.2.1 it was a warning (runtime.md, "Lifecycle", step 9). */
function failsWithPoststart(version: string): boolean {
  const [major = 0, minor = 0, patch = 0] = version.split(/[.+-]/).map(Number);
  return major > 1 || minor > 2 || (minor === 2 && patch >= 1);
}

/** Opens the fifo, which starts the process, and reads its replies until the exec closes the fifo. */
async function release(directory: StateDirectory, stored: StoredContainer, config: OciConfig): Promise<void> {
  const failures: Failure[] = [];
  let listener: number | undefined;
  const parse = replyParser((reply) => {
    if (reply.kind === 'failed') failures.push(reply);
    if (reply.kind === 'ok') listener = reply.value;
  });
  let handed = false;
  for await (const chunk of fromFifo(directory, stored)) {
    parse(chunk);
    if (listener === undefined || handed) continue;
    handed = true;
    await handListener(stored, config, listener);
    // The process waits for this open.
    await promises.open(path.join(directory.path, 'taken.fifo'), 'w').then((taken) => taken.close());
  }
  rmSync(directory.fifo, { force: true });
  const [failure] = failures;
  if (failure) throw execFailed(stored, failure);
}

type Failure = Extract<Reply, { kind: 'failed' }>;

/** Returns the error for an op of the process that failed after the start. */
function execFailed(stored: StoredContainer, { index, errno }: Failure): OciError {
  const purpose = stored.last?.purposes[index - stored.last.index];
  return new OciError({
    code: 'EXEC_FAILED',
    message: `${purpose ?? 'the process'}: ${errnoText(errno)}`,
    hint: `The system call failed with ${errnoName(errno)}, and the container has stopped.`,
  });
}

/**
 * Explains why a start failed that the native launcher made.
 *
 * @param replies what the process wrote to the fifo
 * @throws OciError `EXEC_FAILED`, `CONTAINER_MISSING`
 */
export function explainStart(root: string, id: string, replies: Buffer): never {
  const { stored } = readStored(root, id);
  const failures: Failure[] = [];
  replyParser((reply) => {
    if (reply.kind === 'failed') failures.push(reply);
  })(replies);
  const [failure] = failures;
  throw failure ? execFailed(stored, failure) : gone(id);
}

function gone(id: string): OciError {
  return new OciError({
    code: 'CONTAINER_ENDED',
    message: `cannot start container ${id}: its process was killed`,
    hint: `Delete it and create it again: lamella-oci delete ${id}`,
  });
}

/** Yields what the process writes to the fifo. Opening the fifo waits for the process, unless the process has ended. */
async function* fromFifo(directory: StateDirectory, stored: StoredContainer): AsyncGenerator<Buffer> {
  let opened = false;
  const opening = promises.open(directory.fifo, 'r').finally(() => {
    opened = true;
  });
  while (!opened) {
    await Promise.race([opening, sleep(20)]);
    if (opened || isAlive(stored.init, stored.boot)) continue;
    // The process may have opened its end and exited before this process noticed.
    await Promise.race([opening, sleep(50)]);
    if (opened || isOpen(directory.fifo)) {
      await opening;
      continue;
    }
    // The other end stays closed: opening it here unblocks the pending open.
    try {
      closeSync(openSync(directory.fifo, constants.O_WRONLY | constants.O_NONBLOCK));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENXIO') throw error;
    }
    await opening.then((handle) => handle.close());
    throw gone(stored.id);
  }
  const handle = await opening;
  try {
    for await (const chunk of handle.createReadStream({ autoClose: false })) yield chunk as Buffer;
  } finally {
    await handle.close();
  }
}

/** Whether this process has a file open. /proc shows it before Node reports it. */
function isOpen(file: string): boolean {
  return readdirSync('/proc/self/fd').some((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === file;
    } catch (error) {
      // The descriptor of the listing itself.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
      throw error;
    }
  });
}

/** Sends the listener of the seccomp filter to its socket (config-linux.md, "The Container Process State"). */
async function handListener(stored: StoredContainer, config: OciConfig, targetfd: number): Promise<void> {
  const seccomp = config.linux?.seccomp;
  const pid = stored.init?.pid ?? 0;
  await sendListener({ pid, targetfd, path: seccomp?.listenerPath ?? '', metadata: seccomp?.listenerMetadata, state: stateOf(stored, 'running') });
}
