import { readFileSync } from 'node:fs';

/** Proportional set size of processes together, in megabytes (proc_pid_smaps(5)). */
export function memoryOf(...pids: readonly number[]): number {
  const each = pids.map((pid) => Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1]));
  return each.reduce((total, kilobytes) => total + kilobytes, 0) / 1024;
}
