import { closeSync, openSync, readSync } from 'node:fs';

/** More than the line of each hierarchy in cgroup(7) takes. */
const CGROUP_BYTES = 8192;

/**
 * What the children of this process have from it and a spawner cannot take over later: its ids and its cgroup. Limits, priority and umask
 * are taken over by the children of a spawner themselves.
 */
export class CallerIdentity {
  readonly #ids: string;
  readonly #cgroup: Buffer;
  readonly #now = Buffer.alloc(CGROUP_BYTES);
  readonly #descriptor: number;

  /** @throws an Error of `node:fs` without procfs */
  constructor() {
    this.#ids = idsOf();
    this.#descriptor = openSync('/proc/self/cgroup', 'r');
    this.#cgroup = Buffer.from(this.#readCgroup());
  }

  /** Returns whether this process is still what it was. */
  isCurrent(): boolean {
    return this.#ids === idsOf() && this.#cgroup.equals(this.#readCgroup());
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  /** procfs makes the text anew for each read at its beginning. */
  #readCgroup(): Buffer {
    return this.#now.subarray(0, readSync(this.#descriptor, this.#now, 0, CGROUP_BYTES, 0));
  }
}

function idsOf(): string {
  return [process.getuid?.(), process.geteuid?.(), process.getgid?.(), process.getegid?.(), ...(process.getgroups?.() ?? [])].join(' ');
}
