import { renameSync, statSync } from 'node:fs';
import { appendFile, type FileHandle, open } from 'node:fs/promises';
import path from 'node:path';
import { type ProcessEnd, processEndOf } from '@lamella/namespace';
import { AT_FDCWD, ignoreMissing, O, type Program } from '@lamella/syscall';
import { Watching } from './file-watch.js';

/** Something that happened to a container. Only `die` tells how its process ended. */
export interface ContainerEvent extends ProcessEnd {
  readonly time: Date;
  /** `create`, `start`, `die`, `destroy`, `kill`, `stop`, `pause`, `unpause`, `rename`, `exec`. */
  readonly event: string;
  readonly id: string;
  readonly name: string | undefined;
  readonly image: string | undefined;
  /** Of `start` and `die`: the host's pid of its init. */
  readonly pid: number | undefined;
}

/** From this size on the file of events is rotated, in bytes. */
export const EVENTS_LIMIT: number = 1 << 20;

const eventsFile = (containers: string): string => path.join(containers, '.events');

/** Records what a command did to a container; the monitors record starts and ends themselves. */
export async function recordEvent(
  containers: string,
  event: string,
  about: { readonly id: string; readonly name: string | undefined; readonly image: string },
): Promise<void> {
  await appendFile(eventsFile(containers), eventLine(event, about, new Date()), { mode: 0o600 });
}

/** Returns the line of an event. */
export function eventLine(event: string, about: { readonly id: string; readonly name: string | undefined; readonly image: string }, now: Date): string {
  const time = now.getTime();
  return `${JSON.stringify({ event, time: Math.floor(time / 1000), timeNs: (time % 1000) * 1e6, ...about })}\n`;
}

/** Returns the ops that append an event. @param slot one that nobody uses meanwhile */
export function appendEvent(containers: string, line: string, slot: number): Program {
  const flags = O.WRONLY | O.APPEND | O.CREAT | O.CLOEXEC;
  return [
    { op: 'openat', dirfd: AT_FDCWD, pathname: eventsFile(containers), flags, mode: 0o600, out: slot },
    { op: 'write', fd: slot, buf: line },
    { op: 'close', fd: slot },
  ];
}

/** Keeps the file of events from growing for ever: the one before is kept, too. */
export function rotateEvents(containers: string): void {
  const file = eventsFile(containers);
  const stat = statSync(file, { throwIfNoEntry: false });
  if (stat && stat.size > EVENTS_LIMIT) renameSync(file, `${file}.1`);
}

/** Which events to return. */
export interface EventOptions {
  /** Only what happened after that; without, only what happens from now on. */
  readonly since?: Date;
  /** Until then, else for ever. */
  readonly until?: Date;
  /** Ends the iteration with its reason. */
  readonly signal?: AbortSignal;
}

/** What happens to the containers of a store. */
export async function* readEvents(containers: string, { since, until, signal }: EventOptions): AsyncGenerator<ContainerEvent> {
  const file = eventsFile(containers);
  using watching = new Watching(containers, { until, signal });
  const names = new Renamed();
  let current: Tail | undefined;
  try {
    await using old = await tail(`${file}.1`);
    if (old) yield* within(names.of(old.read()), since, until, !since);
    current = await tail(file);
    // Without a time it begins here, except that earlier names of containers are read.
    if (current && !since) yield* within(names.of(current.read()), since, until, true);
    for (;;) {
      const last = watching.look();
      if (current) yield* within(names.of(current.read()), since, until);
      const next = await tail(file);
      if (next && next.ino !== current?.ino) {
        if (current) yield* within(names.of(current.read()), since, until);
        await current?.[Symbol.asyncDispose]();
        current = next;
        continue;
      }
      await next?.[Symbol.asyncDispose]();
      if (last) return;
      await watching.stirred();
    }
  } finally {
    await current?.[Symbol.asyncDispose]();
  }
}

/** What containers are called: a monitor tells of one by the name that it had when it was started. */
class Renamed {
  readonly #names = new Map<string, string | undefined>();

  async *of(events: AsyncGenerator<ContainerEvent>): AsyncGenerator<ContainerEvent> {
    for await (const event of events) {
      if (event.event === 'rename') this.#names.set(event.id, event.name);
      yield this.#names.has(event.id) ? { ...event, name: this.#names.get(event.id) } : event;
    }
  }
}

async function* within(
  events: AsyncGenerator<ContainerEvent>,
  since: Date | undefined,
  until: Date | undefined,
  isPast: boolean = false,
): AsyncGenerator<ContainerEvent> {
  for await (const event of events) if (!isPast && !(since && event.time < since) && !(until && event.time > until)) yield event;
}

/** A file of events that grows while it is read. */
class Tail implements AsyncDisposable {
  at = 0;

  constructor(
    readonly file: FileHandle,
    readonly ino: number,
  ) {}

  async *read(): AsyncGenerator<ContainerEvent> {
    const { size } = await this.file.stat();
    if (size <= this.at) return;
    const { buffer, bytesRead } = await this.file.read(Buffer.alloc(size - this.at), 0, size - this.at, this.at);
    const text = buffer.toString('utf8', 0, bytesRead);
    // A line is written at once, but seen when it is whole.
    const whole = text.slice(0, text.lastIndexOf('\n') + 1);
    this.at += Buffer.byteLength(whole);
    for (const line of whole.split('\n')) {
      const event = line ? parse(line) : undefined;
      if (event) yield event;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.file.close();
  }
}

async function tail(name: string): Promise<Tail | undefined> {
  const file = await open(name).catch(ignoreMissing);
  return file && new Tail(file, (await file.stat()).ino);
}

/** A line of the file of events, as far as it is not taken over unchanged. */
interface EventLine extends Omit<ContainerEvent, 'time' | 'exitCode' | 'signal'> {
  readonly time: number;
  readonly timeNs: number;
  readonly status?: number;
  readonly signal?: number;
}

function parse(line: string): ContainerEvent | undefined {
  try {
    const { event, id, name, image, pid, status, signal, time, timeNs } = JSON.parse(line) as EventLine;
    const end = status === undefined ? { exitCode: undefined, signal: undefined } : processEndOf({ status, signal: signal ?? 0 });
    return { time: new Date(time * 1000 + timeNs / 1e6), event, id, name, image, pid, ...end };
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
