import { idMapping, unfitForUpper } from '@lamella/syscall';
import type { RunSpec } from './run-spec.js';

/**
 * Whether fuse-overlayfs(1) joins the layers of a container, and not the kernel: where that can have no upper; and where files are to be seen with other
 * ids by somebody who is not root, and may not mount them so.
 *
 * @param directory absolute path of the store, or the workspace
 */
export function isByFuse(userns: RunSpec['userns'], directory: string): boolean {
  return (typeof userns === 'object' && idMapping().kind !== 'host') || unfitForUpper(directory) !== undefined;
}
