import { mkdirSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { OciError } from '../errors/oci-error.js';
import { isInitialRoot } from '../host/initial-root.js';

/** Where the state of all containers is, when nobody says otherwise: gone with a reboot, as they are. */
export function defaultRoot(): string {
  if (isInitialRoot()) return '/run/lamella-oci';
  const runtime = process.env.XDG_RUNTIME_DIR;
  return path.join(runtime || `/tmp/lamella-oci-${process.geteuid?.()}`, runtime ? 'lamella-oci' : '');
}

/** The files of one container. All paths are absolute. */
export interface StateDirectory {
  readonly id: string;
  readonly path: string;
  /** What is known of it, see {@link StoredContainer}. */
  readonly state: string;
  /** Its configuration, as it was when it was created. */
  readonly config: string;
  /** The process waits at it to be started. */
  readonly fifo: string;
  /** One command at a time changes a container. */
  readonly lock: string;
}

/**
 * @param root absolute
 * @throws OciError `ID_INVALID`
 */
export function stateDirectory(root: string, id: string): StateDirectory {
  if (!/^[\w+.-]+$/.test(id) || id === '.' || id === '..' || id.length > 255)
    throw new OciError({
      code: 'ID_INVALID',
      message: id ? `'${id}' cannot be the id of a container` : 'a container needs an id',
      hint: 'It has 1 to 255 letters, digits, and _ + . -',
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

/** Take the id: the kernel makes a directory once. @throws OciError `CONTAINER_EXISTS`, `STATE_UNWRITABLE` */
export function claimId(root: string, directory: StateDirectory): void {
  try {
    mkdirSync(root, { recursive: true, mode: 0o711 });
    mkdirSync(directory.path, { mode: 0o711 });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST')
      throw new OciError({
        code: 'CONTAINER_EXISTS',
        message: `container with id ${directory.id} already exists`,
        hint: 'Delete it, or choose another id.',
        cause,
      });
    throw new OciError({
      code: 'STATE_UNWRITABLE',
      message: `cannot write into ${root}: ${(cause as Error).message}`,
      hint: 'Name a directory that this user may write to: --root DIR.',
      cause,
    });
  }
}

/** The ids of all containers. */
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
