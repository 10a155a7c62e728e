import { unfitForUpper } from '@lamella/syscall';
import type { OwnIds } from '../model/container-ids.js';

/**
 * Whether fuse-overlayfs(1) joins the layers of a container, and not the kernel: where that can have no upper; and where files are to be seen with other
 * ids that no mount can give them, as the container's own ids say.
 *
 * @param directory absolute path of the store, or the workspace
 */
export function usesFuse(ids: OwnIds | undefined, directory: string): boolean {
  return ids?.byFuse === true || unfitForUpper(directory) !== undefined;
}
