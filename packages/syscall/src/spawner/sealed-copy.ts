import { openSync, readlinkSync } from 'node:fs';
import { interpreterPath } from '../host/interpreter-path.js';

/** The descriptor of the sealed copy of the interpreter, once this process has one. */
let descriptor: number | undefined;

/** Returns the path by which a child executes the sealed copy; undefined while there is none. In the child the descriptor is still open while the kernel looks the file up. */
export function sealedCopy(): string | undefined {
  return descriptor === undefined ? undefined : `/proc/self/fd/${descriptor}`;
}

/**
 * Returns the command that starts an interpreter. The first interpreter of a process copies itself into a sealed memfd and executes
 * the copy. Later ones start from that copy, which saves an exec.
 */
export function interpreterCommand(): { readonly file: string; readonly args: readonly string[] } {
  const copy = sealedCopy();
  return copy === undefined ? { file: interpreterPath(), args: ['seal'] } : { file: copy, args: ['sealed'] };
}

/** Keeps the copy that a monitor runs from. If procfs denies that, every interpreter makes its own copy. */
export function keepCopy(monitor: number): void {
  // LAMELLA_INIT names a program that must run each time.
  if (descriptor !== undefined || process.env.LAMELLA_INIT) return;
  const exe = `/proc/${monitor}/exe`;
  try {
    if (readlinkSync(exe).startsWith('/memfd:lamella-init')) descriptor = openSync(exe, 'r');
  } catch (error) {
    if (!['ENOENT', 'EACCES', 'EPERM', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}
