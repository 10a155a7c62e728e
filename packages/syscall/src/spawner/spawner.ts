import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { constants, tmpdir } from 'node:os';
import path from 'node:path';
import { O } from '../ops/constants.js';
import { CallerIdentity } from './caller-identity.js';
import { sealedCopy } from './sealed-copy.js';

/** The bytes of a report: pid, status, signal (see native/spawner/spawner.c). */
const REPORT_BYTES = 12;
/** The most connections of one interpreter. */
const CONNECTIONS = 5;
/** As many connections as the spawner listens for. */
const BACKLOG = 4096;
/** Reports of interpreters whose pid is not known yet. Each is claimed within a turn of the event loop. */
const MOST_UNCLAIMED = 64;

const SIGNAL_NAMES = new Map<number, string>(Object.entries(constants.signals).map(([name, number]) => [number, name]));

/** How an interpreter ended that did not send its status: killed by a signal, or with a status; by nobody knows what if the spawner has ended, too. */
export interface Report {
  readonly status: number | null;
  readonly signal: string | null;
}

const UNKNOWN: Report = { status: null, signal: 'a signal that is not known' };

/** The connections of an interpreter that a spawner makes. */
export interface Connections {
  readonly frames: Socket;
  readonly replies: Socket;
  readonly stdin: Socket | null;
  readonly stdout: Socket | null;
  readonly stderr: Socket | null;
}

/** Whether stdin, stdout and stderr are connections, or /dev/null. */
export type Connected = readonly [stdin: boolean, stdout: boolean, stderr: boolean];

/** What a spawner has to know about the program of an interpreter. */
export interface ProgramTraits {
  /** The program sets the umask before all else. */
  readonly setsUmask: boolean;
  /** It clones into an empty network namespace that belongs to the user namespace of this process. */
  readonly newNetwork: boolean;
}

/**
 * A small process that forks interpreters: forking this process takes milliseconds, because it is large. It ends with this process, and
 * does not keep it alive.
 */
export class Spawner {
  readonly #child: ChildProcess;
  readonly #requests: Socket;
  readonly #caller: CallerIdentity;
  /** The path of its socket, once it listens. */
  #address: string | undefined;
  #descriptor = -1;
  #ended = false;
  /** Connections that it may not have accepted yet. */
  #pending = 0;
  #rest: Buffer = Buffer.alloc(0);
  readonly #waiting = new Map<number, (report: Report) => void>();
  readonly #unclaimed = new Map<number, Report>();

  constructor(copy: string) {
    this.#caller = new CallerIdentity();
    this.#child = spawn(copy, ['spawner'], {
      argv0: 'lamella-init',
      stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
      env: {},
      cwd: '/',
    });
    this.#requests = this.#child.stdio[3] as Socket;
    this.#requests.on('data', (chunk: Buffer) => this.#read(chunk));
    this.#requests.on('error', () => this.end());
    this.#requests.once('close', () => this.end());
    this.#child.once('error', () => this.end());
    this.#child.unref();
    this.#requests.unref();
    // A directory that nobody has: the spawner makes it for its socket, and removes both.
    this.#requests.write(path.join(tmpdir(), `lamella-${process.pid}-${process.hrtime.bigint().toString(36)}`));
  }

  get hasEnded(): boolean {
    return this.#ended;
  }

  /** Whether it ever could be asked. */
  get hasListened(): boolean {
    return this.#address !== undefined;
  }

  /** Whether it can be asked for an interpreter. A spawner that was killed a moment ago has no executable. */
  get isReady(): boolean {
    return this.#address !== undefined && !this.#ended && this.#pending + CONNECTIONS <= backlog() && existsSync(`/proc/${this.#child.pid}/exe`);
  }

  /** Whether its children are what children of this process would be. */
  get isLikeCaller(): boolean {
    return this.#caller.isCurrent();
  }

  /** Makes an interpreter. */
  connect(connected: Connected, { setsUmask, newNetwork }: ProgramTraits): Connections {
    const address = this.#address ?? '';
    const connect = (options: ConstructorParameters<typeof Socket>[0]): Socket => {
      this.#pending++;
      return new Socket(options).connect(address);
    };
    // They are accepted in this order.
    const frames = connect({});
    const replies = connect({});
    // A stdin of a child process cannot be read either.
    const stdin = connected[0] ? connect({ readable: false }) : null;
    const stdout = connected[1] ? connect({}) : null;
    const stderr = connected[2] ? connect({}) : null;
    this.#requests.write(Buffer.from([...connected.map(Number), Number(setsUmask) + 2 * Number(newNetwork)]));
    return { frames, replies, stdin, stdout, stderr };
  }

  /** Notes that connections were accepted. */
  accepted(count: number): void {
    this.#pending -= count;
  }

  /** Returns how an interpreter ended that did not tell it. @param pid undefined where it has not even told its pid */
  async reportOf(pid: number | undefined): Promise<Report> {
    if (pid === undefined) return UNKNOWN;
    const report = this.#unclaimed.get(pid);
    this.#unclaimed.delete(pid);
    if (report || this.#ended) return report ?? UNKNOWN;
    const { promise, resolve } = Promise.withResolvers<Report>();
    this.#waiting.set(pid, resolve);
    this.#requests.ref();
    return promise;
  }

  /** Ends it. Its interpreters continue. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#requests.destroy();
    this.#caller.close();
    if (this.#descriptor >= 0) closeSync(this.#descriptor);
    for (const resolve of this.#waiting.values()) resolve(UNKNOWN);
    this.#waiting.clear();
  }

  #read(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    let at = 0;
    for (; this.#rest.length - at >= REPORT_BYTES; at += REPORT_BYTES) {
      const [pid, status, signal] = [0, 4, 8].map((field) => this.#rest.readInt32LE(at + field)) as [number, number, number];
      if (pid === 0) this.#listens(status);
      else this.#ends(pid, signal ? { status: null, signal: SIGNAL_NAMES.get(signal) ?? `signal ${signal}` } : { status, signal: null });
    }
    this.#rest = this.#rest.subarray(at);
  }

  #listens(descriptor: number): void {
    try {
      this.#descriptor = openSync(`/proc/${this.#child.pid}/fd/${descriptor}`, O.PATH | O.CLOEXEC);
    } catch {
      // Some systems hide the descriptors of other processes.
      this.end();
      return;
    }
    this.#address = `/proc/self/fd/${this.#descriptor}`;
  }

  #ends(pid: number, report: Report): void {
    const resolve = this.#waiting.get(pid);
    if (resolve) {
      this.#waiting.delete(pid);
      if (!this.#waiting.size) this.#requests.unref();
      resolve(report);
      return;
    }
    this.#unclaimed.set(pid, report);
    const [oldest] = this.#unclaimed.keys();
    if (this.#unclaimed.size > MOST_UNCLAIMED && oldest !== undefined) this.#unclaimed.delete(oldest);
  }
}

let most: number | undefined;

/** Returns how many connections may wait to be accepted. */
function backlog(): number {
  if (most === undefined) {
    try {
      most = Math.min(BACKLOG, Number(readFileSync('/proc/sys/net/core/somaxconn', 'latin1')) || 0);
    } catch {
      most = 128;
    }
  }
  return most;
}

let current: Spawner | undefined;
let asked = 0;
/** A spawner has failed before it listened, and the next one would, too. */
let isImpossible = false;

/**
 * Returns the spawner of this process if it can be used now; otherwise the caller starts an interpreter itself. The first interpreter of a
 * process is not worth a spawner, so the second starts it. `LAMELLA_SPAWNER=0` means: none.
 */
export function readySpawner(): Spawner | undefined {
  if (isImpossible || process.env.LAMELLA_SPAWNER === '0' || process.env.LAMELLA_INIT) return undefined;
  if (current?.hasEnded) {
    isImpossible = !current.hasListened;
    current = undefined;
  }
  if (current?.isReady) {
    if (current.isLikeCaller) return current;
    current.end();
    current = undefined;
    return undefined;
  }
  const copy = sealedCopy();
  if (!current && !isStarting && copy !== undefined && ++asked > 1) {
    isStarting = true;
    // The interpreter of the caller comes first.
    setImmediate(() => startSpawner(copy));
  }
  return undefined;
}

let isStarting = false;

function startSpawner(copy: string): void {
  isStarting = false;
  try {
    current = new Spawner(copy);
  } catch {
    isImpossible = true;
  }
}
