import { existsSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { type ContainerCgroup, isCgroupFrozen, type SystemdScope } from '@lamella/cgroup';
import { bootId, FILE_BOUNDS, FileError, jsonProblem, readRegularText } from '@lamella/syscall';
import type { NamespaceType } from '../config/schema.js';
import { OciError } from '../errors/oci-error.js';
import { replaceFile } from '../host/replace-file.js';
import type { RdtGroup } from '../resources/intel-rdt.js';
import { type StateDirectory, stateDirectory } from './state-directory.js';

export type Status = 'creating' | 'created' | 'running' | 'paused' | 'stopped';

/** A process that can be told from a later one with the same number. */
export interface ProcessMark {
  readonly pid: number;
  /** In clock ticks after the boot (proc_pid_stat(5)). */
  readonly startTime: string;
}

/** What is kept of a container: `state.json`. */
export interface StoredContainer {
  readonly ociVersion: string;
  readonly id: string;
  /** Absolute. */
  readonly bundle: string;
  readonly rootfs: string;
  readonly annotations: Readonly<Record<string, string>>;
  /** RFC 3339. */
  readonly created: string;
  /** Who created it, on the host. */
  readonly owner: number;
  /** In which life of this machine. */
  readonly boot: string;
  readonly cgroup: ContainerCgroup;
  /** The unit of systemd's that it is the cgroup of. */
  readonly scope?: SystemdScope;
  /** Its class of service of Intel RDT. */
  readonly rdt?: RdtGroup;
  readonly namespaces: readonly NamespaceType[];
  /** It has no mount namespace of its own: what was mounted for it is the host's to unmount. */
  readonly mountsOnHost: boolean;
  /** Which command makes it; and its init, once there is one. */
  readonly creator: ProcessMark;
  readonly init?: ProcessMark;
  /** It is being made still. */
  readonly creating?: boolean;
  /** What its last ops are, for an error of theirs: the first one's index, and what to say. */
  readonly last?: { readonly index: number; readonly purposes: readonly string[] };
}

/** When a process began, undefined when there is none (any more) of that number. */
export function processMark(pid: number): ProcessMark | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may have anything in it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
    return { pid, startTime: fields[19] ?? '' };
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

/** Whether that very process lives. */
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
    if (existsSync(directory.path)) throw damaged(directory, 'the command that made it was interrupted at its very beginning', cause);
    throw new OciError({ code: 'CONTAINER_MISSING', message: `container ${id} does not exist`, hint: `lamella-oci list shows those in ${root}.`, cause });
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
    message: `the state of container ${directory.id} cannot be read: ${why}`,
    hint: `lamella-oci delete --force ${directory.id} removes it.`,
    cause,
  });
}

/** What it is doing now (runtime.md, "State"); asked of the kernel, not of what was written down. */
export function statusOf({ directory, stored }: { readonly directory: StateDirectory; readonly stored: StoredContainer }): Status {
  if (stored.creating || !stored.init) return isAlive(stored.creator, stored.boot) ? 'creating' : 'stopped';
  if (!isAlive(stored.init, stored.boot)) return 'stopped';
  if (existsSync(directory.fifo)) return 'created';
  return isCgroupFrozen(stored.cgroup) ? 'paused' : 'running';
}

/** The state as `state` prints it, and hooks read it. */
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
 * Take a container's state away, all at once: whoever comes meanwhile finds all of it, or none. What somebody who was
 * killed left of that goes as well.
 */
export function removeDirectory({ path: directory }: StateDirectory): void {
  // No id has that character.
  const [root, prefix] = [path.dirname(directory), `${path.basename(directory)}~`];
  try {
    renameSync(directory, path.join(root, `${prefix}${process.pid}`));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  for (const name of readdirSync(root)) if (name.startsWith(prefix)) rmSync(path.join(root, name), { recursive: true, force: true });
}
