import { openSync, readlinkSync } from 'node:fs';
import { interpreterPath } from '../host/interpreter-path.js';

/** The sealed copy of the interpreter that this process holds open, once it has one. */
let descriptor: number | undefined;

/**
 * What to execute. The first interpreter of a process copies itself into a sealed memfd and starts
 * anew from there; the others start from that copy at once, which saves them an exec.
 */
export function interpreterCommand(): { readonly file: string; readonly args: readonly string[] } {
  // In the child the descriptor is still open while the kernel looks the file up.
  return descriptor === undefined ? { file: interpreterPath(), args: ['seal'] } : { file: `/proc/self/fd/${descriptor}`, args: ['sealed'] };
}

/** Keep the copy that a monitor runs from. Where procfs does not let us, every interpreter makes its own. */
export function keepCopy(monitor: number): void {
  // Who names another program means it every time.
  if (descriptor !== undefined || process.env.LAMELLA_INIT) return;
  const exe = `/proc/${monitor}/exe`;
  try {
    if (readlinkSync(exe).startsWith('/memfd:lamella-init')) descriptor = openSync(exe, 'r');
  } catch (error) {
    if (!['ENOENT', 'EACCES', 'EPERM', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}
