import { mkdirSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { OciError } from '../errors/oci-error.js';
import { isInitialRoot } from '../host/initial-root.js';

/** Returns the default directory for the state of all containers. It does not survive a reboot, and neither do containers. */
export function defaultRoot(): string {
  if (isInitialRoot()) return '/run/lamella-oci';
  const runtime = process.env.XDG_RUNTIME_DIR;
  return path.join(runtime || `/tmp/lamella-oci-${process.geteuid?.()}`, runtime ? 'lamella-oci' : '');
}

/** The files of one container. All paths are absolute. */
export interface StateDirectory {
  readonly id: string;
  readonly path: string;
  /** Its state, see {@link StoredContainer}. */
  readonly state: string;
  /** Its configuration at the time of its creation. */
  readonly config: string;
  /** The fifo on which the process waits to be started. */
  readonly fifo: string;
  /** The lock that a command holds while it changes the container. */
  readonly lock: string;
}

/**
 * Returns the paths of a container's state.
 *
 * @param root absolute
 * @throws OciError `ID_INVALID`
 */
export function stateDirectory(root: string, id: string): StateDirectory {
  if (!/^[\w+.-]+$/.test(id) || id === '.' || id === '..' || id.length > 255)
    throw new OciError({
      code: 'ID_INVALID',
      message: id ? `invalid container id: ${id}` : 'the container id is empty',
      hint: 'Use 1 to 255 characters: letters, digits, and _ + . -',
    });
  const directory = path.join(root, id);
  return {
    id,
    path: directory,
    state: path.join(directory, 'state.json'),
    config: path.join(directory, 'config.json'),
    fifo: path.join(directory, 'exec.fifo'),
    lock: path.join(directory, 'lock'),
  };
}

/** Claims an id by making its directory. @throws OciError `CONTAINER_EXISTS`, `STATE_UNWRITABLE` */
export function claimId(root: string, directory: StateDirectory): void {
  try {
    mkdirSync(root, { recursive: true, mode: 0o711 });
    mkdirSync(directory.path, { mode: 0o711 });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST')
      throw new OciError({
        code: 'CONTAINER_EXISTS',
        message: `container with id ${directory.id} already exists`,
        hint: `Delete it (lamella-oci delete ${directory.id}), or choose another id.`,
        cause,
      });
    throw new OciError({
      code: 'STATE_UNWRITABLE',
      message: `cannot write to ${root}: ${(cause as Error).message}`,
      hint: 'Choose a writable directory: --root DIR',
      cause,
    });
  }
}

/** Returns the ids of all containers. */
export function listIds(root: string): string[] {
  try {
    return readdirSync(root, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && /^[\w+.-]+$/.test(entry.name))
      .map(({ name }) => name)
      .sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
