import { chmodSync, readFileSync, writeFileSync } from 'node:fs';

/** A system call that strace saw. */
export interface TracedCall {
  readonly name: string;
  /** `name(arguments)`, as strace wrote it. */
  readonly text: string;
  /** What came back: a number, or `-1 ENOENT`; `?` when it never did. */
  readonly result: string;
}

/**
 * Write a program that runs an interpreter under strace; name it in LAMELLA_INIT.
 *
 * @param options strace's own, e.g. to inject faults
 */
export function tracingInterpreter(
  file: string,
  { strace, interpreter, log, options = [] }: { strace: string; interpreter: string; log: string; options?: readonly string[] },
): string {
  writeFileSync(file, `#!/bin/sh\nexec ${strace} -f -v -s 1000000 -o ${log} ${options.join(' ')} ${interpreter} "$@"\n`);
  chmodSync(file, 0o755);
  return file;
}

/** The calls of a log, by process, in the order of the processes' first calls; interrupted lines are joined. */
export function readTrace(log: string): TracedCall[][] {
  const processes = new Map<string, TracedCall[]>();
  const unfinished = new Map<string, string>();
  for (const line of readFileSync(log, 'utf8').split('\n')) {
    const match = /^(\d+) +(.*)$/.exec(line);
    const [pid, what] = [match?.[1], match?.[2]];
    if (pid === undefined || what === undefined || /^(---|\+\+\+)/.test(what)) continue;
    if (!processes.has(pid)) processes.set(pid, []);
    if (what.endsWith(' <unfinished ...>')) {
      unfinished.set(pid, what.slice(0, -' <unfinished ...>'.length));
      continue;
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(what);
    const whole = resumed ? `${unfinished.get(pid) ?? ''}${resumed[1]}` : what;
    const parts = /^(\w+)(\(.*\)) += (-?\w+(?: E\w+)?).*$/.exec(whole);
    if (parts?.[1] && parts[2] && parts[3])
      processes.get(pid)?.push({ name: parts[1], text: `${parts[1]}${parts[2].replaceAll(' /* MS_??? */', '')}`, result: parts[3] });
  }
  return [...processes.values()];
}
