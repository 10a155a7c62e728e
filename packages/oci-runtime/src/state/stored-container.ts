import { existsSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { type ContainerCgroup, isCgroupFrozen, type SystemdScope } from '@lamella/cgroup';
import { bootId, FILE_BOUNDS, FileError, jsonProblem, readRegularText } from '@lamella/syscall';
import type { NamespaceType } from '../config/schema.js';
import { OciError } from '../errors/oci-error.js';
import { replaceFile } from '../host/replace-file.js';
import type { RdtGroup } from '../resources/intel-rdt.js';
import { type StateDirectory, stateDirectory } from './state-directory.js';

/** The status of a container (OCI runtime-spec, runtime.md, "State"), and `paused`. */
export type Status = 'creating' | 'created' | 'running' | 'paused' | 'stopped';

/** A process, distinguishable from a later one with the same pid. */
export interface ProcessMark {
  readonly pid: number;
  /** In clock ticks after the boot (proc_pid_stat(5)). */
  readonly startTime: string;
}

/** The state of a container in `state.json`. */
export interface StoredContainer {
  readonly ociVersion: string;
  readonly id: string;
  /** Absolute. */
  readonly bundle: string;
  readonly rootfs: string;
  readonly annotations: Readonly<Record<string, string>>;
  /** RFC 3339. */
  readonly created: string;
  /** The uid on the host of the user who created it. */
  readonly owner: number;
  /** The boot id of the host when it was created. */
  readonly boot: string;
  readonly cgroup: ContainerCgroup;
  /** The systemd scope of its cgroup. */
  readonly scope?: SystemdScope;
  /** Its Intel RDT class of service. */
  readonly rdt?: RdtGroup;
  readonly namespaces: readonly NamespaceType[];
  /** Whether it has no mount namespace, so that its mounts are on the host. */
  readonly mountsOnHost: boolean;
  /** The command that creates it; and its init process, once there is one. */
  readonly creator: ProcessMark;
  readonly init?: ProcessMark;
  /** Whether its creation is under way. */
  readonly creating?: boolean;
  /** The purposes of its last ops, for their errors, and the index of the first one. */
  readonly last?: { readonly index: number; readonly purposes: readonly string[] };
}

/** Returns the mark of a process; undefined if there is none with that pid. */
export function processMark(pid: number): ProcessMark | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may contain anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
    return { pid, startTime: fields[19] ?? '' };
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

/** Whether that process is alive. */
export function isAlive(mark: ProcessMark | undefined, boot: string): boolean {
  return mark !== undefined && boot === bootId() && processMark(mark.pid)?.startTime === mark.startTime;
}

export function writeStored(directory: StateDirectory, stored: StoredContainer): void {
  replaceFile(directory.state, JSON.stringify(stored));
}

/** @throws OciError `CONTAINER_MISSING`, `STATE_DAMAGED` */
export function readStored(root: string, id: string): { readonly directory: StateDirectory; readonly stored: StoredContainer } {
  const directory = stateDirectory(root, id);
  let text: string;
  try {
    text = readRegularText(directory.state, FILE_BOUNDS.bundle);
  } catch (cause) {
    if (!(cause instanceof FileError)) throw cause;
    if (cause.problem !== 'missing') throw damaged(directory, cause.message, cause);
    if (existsSync(directory.path)) throw damaged(directory, 'its creation was interrupted', cause);
    throw new OciError({
      code: 'CONTAINER_MISSING',
      message: `container ${id} does not exist`,
      hint: `List the containers in ${root}: lamella-oci --root ${root} list`,
      cause,
    });
  }
  try {
    return { directory, stored: JSON.parse(text) as StoredContainer };
  } catch (cause) {
    throw damaged(directory, jsonProblem(cause), cause);
  }
}

function damaged(directory: StateDirectory, why: string, cause: unknown): OciError {
  return new OciError({
    code: 'STATE_DAMAGED',
    message: `cannot read the state of container ${directory.id}: ${why}`,
    hint: `Remove it: lamella-oci delete --force ${directory.id}`,
    cause,
  });
}

/** Returns the status of a container (runtime.md, "State"), from the kernel rather than from the state file. */
export function statusOf({ directory, stored }: { readonly directory: StateDirectory; readonly stored: StoredContainer }): Status {
  if (stored.creating || !stored.init) return isAlive(stored.creator, stored.boot) ? 'creating' : 'stopped';
  if (!isAlive(stored.init, stored.boot)) return 'stopped';
  if (existsSync(directory.fifo)) return 'created';
  return isCgroupFrozen(stored.cgroup) ? 'paused' : 'running';
}

/** Returns the state that `state` prints and hooks read. */
export function stateOf(stored: StoredContainer, status: Status): Record<string, unknown> {
  return {
    ociVersion: stored.ociVersion,
    id: stored.id,
    pid: status === 'stopped' ? 0 : (stored.init?.pid ?? 0),
    status,
    bundle: stored.bundle,
    rootfs: stored.rootfs,
    created: stored.created,
    annotations: stored.annotations,
    owner: String(stored.owner),
  };
}

/**
 * Removes the state directory of a container. It is renamed first, so that others see all of it or nothing. Leftovers of killed
 * commands are removed too.
 */
export function removeDirectory({ path: directory }: StateDirectory): void {
  // No id contains '~'.
  const [root, prefix] = [path.dirname(directory), `${path.basename(directory)}~`];
  try {
    renameSync(directory, path.join(root, `${prefix}${process.pid}`));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  for (const name of readdirSync(root)) if (name.startsWith(prefix)) rmSync(path.join(root, name), { recursive: true, force: true });
}
