import { existsSync, lstatSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import path from 'node:path';
import { connectMonitor, ignoreMissing, kindOf, readLines } from '@lamella/syscall';
import { Watching } from '../store/file-watch.js';

/** A line of a container's log, or, where it was not written in one piece, a part of one. */
export interface LogEntry {
  readonly time: Date;
  /** The same with all nine digits, as it was written. */
  readonly timestamp: string;
  readonly stream: 'stdout' | 'stderr';
  /** What was written, byte by byte, its newline included. */
  readonly content: Buffer;
}

/** Which lines of a log to return. */
export interface LogOptions {
  /** Continue until the container ends. */
  readonly follow?: boolean;
  /** Only lines from this time on. Default: from the first. */
  readonly since?: Date;
  /** Only lines up to this time. Default: to the last. */
  readonly until?: Date;
  /** How many of the last lines to begin with; all by default. */
  readonly tail?: number;
  /** Ends the iteration with its reason. */
  readonly signal?: AbortSignal;
}

const MAX_FILES = 9;

/**
 * What a container wrote, from its log files: `TIME STREAM TAG CONTENT` (the CRI's format).
 *
 * @param directory the container's
 * @param ended resolves when nothing more will be written
 */
async function* readLogs(directory: string, options: LogOptions, ended: () => Promise<void>): AsyncGenerator<LogEntry> {
  const { since, until, tail, follow = false, signal } = options;
  const wanted = ({ time }: LogEntry): boolean => !(since && time < since) && !(until && time > until);
  await using files = await openLogs(directory);
  const first: LogEntry[] = [];
  const reader = new LogReader();
  const last = files.list.at(-1);
  for (const file of files.list)
    for await (const entry of reader.read(file))
      if (wanted(entry)) {
        if (tail === undefined) yield entry;
        else {
          first.push(entry);
          if (first.length > 2 * tail + 64) trim(first, tail);
        }
      }
  if (tail !== undefined) trim(first, tail);
  yield* first;
  if (!follow) return;
  yield* followLog(directory, reader, last, wanted, { until, signal, ended });
}

/** Whether the output of a container is written to a log: that of a detached one is. @param directory the container's */
export function hasLog(directory: string): boolean {
  return existsSync(path.join(directory, 'log'));
}

/** Yields the log of a container, and follows it until the container ends where that is asked for. @param directory the container's */
export async function* readContainerLogs(directory: string, options: LogOptions): AsyncGenerator<LogEntry> {
  using connection = options.follow ? await connectMonitor(directory, () => undefined) : undefined;
  yield* readLogs(directory, options, () => connection?.closed ?? Promise.resolve());
}

/** Keeps the last `lines` lines; parts of one count as one. */
function trim(entries: LogEntry[], lines: number): void {
  let count = 0;
  for (let i = entries.length - 1; i >= 0; i--) {
    // A line ends where a newline is, or where the log does.
    if (entries[i]?.content.at(-1) === 10 || i === entries.length - 1) count++;
    if (count > lines) {
      entries.splice(0, i + 1);
      return;
    }
  }
}

interface LogFiles extends AsyncDisposable {
  /** The oldest first. */
  readonly list: readonly FileHandle[];
}

/** Opens all files of a log, though it may be rotated in this moment: an open file is read whatever its name. */
async function openLogs(directory: string): Promise<LogFiles> {
  for (;;) {
    const list: FileHandle[] = [];
    for (let i = MAX_FILES; i >= 0; i--) {
      const file = await open(path.join(directory, i ? `log.${i}` : 'log')).catch(ignoreMissing);
      if (file) list.push(file);
    }
    const now = await inodeOf(path.join(directory, 'log'));
    const inodes = await Promise.all(list.map(async (file) => (await file.stat()).ino));
    const close = async (): Promise<void> => void (await Promise.all(list.map((file) => file.close())));
    if ((now === undefined || inodes.at(-1) === now) && new Set(inodes).size === inodes.length) return { list, [Symbol.asyncDispose]: close };
    await close();
  }
}

async function inodeOf(file: string): Promise<number | undefined> {
  const handle = await open(file).catch(ignoreMissing);
  if (!handle) return undefined;
  try {
    return (await handle.stat()).ino;
  } finally {
    await handle.close();
  }
}

/** Cuts a log's bytes into entries; a line that is not whole yet waits for its rest. */
class LogReader {
  #rest = Buffer.alloc(0);
  readonly #chunk = Buffer.alloc(65536);

  async *read(file: FileHandle): AsyncGenerator<LogEntry> {
    for (;;) {
      const { bytesRead } = await file.read(this.#chunk, 0, this.#chunk.length);
      if (bytesRead === 0) return;
      const data = Buffer.concat([this.#rest, this.#chunk.subarray(0, bytesRead)]);
      let at = 0;
      for (let end = data.indexOf(10); end >= 0; end = data.indexOf(10, at)) {
        const entry = parse(data.subarray(at, end));
        if (entry) yield entry;
        at = end + 1;
      }
      this.#rest = data.subarray(at);
    }
  }
}

const LINE = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z) (stdout|stderr) ([FP]) /;

function parse(line: Buffer): LogEntry | undefined {
  const match = LINE.exec(line.toString('latin1', 0, 64));
  if (!match) return undefined; // torn by a power cut
  const [head, timestamp = '', stream, tag] = match;
  const content = line.subarray(head.length);
  return {
    time: new Date(timestamp.replace(/\d{6}Z$/, 'Z')),
    timestamp,
    stream: stream as 'stdout' | 'stderr',
    content: tag === 'F' ? Buffer.concat([content, Buffer.from('\n')]) : Buffer.from(content),
  };
}

/** What is wrong with a file of a log; a last line that was torn by a power cut is as it has to be. */
export function logProblems(file: string): string[] {
  const stat = lstatSync(file, { throwIfNoEntry: false });
  if (!stat) return [];
  if (!stat.isFile()) return [`it is ${kindOf(stat)}, not a log`];
  let damaged = 0;
  for (const line of readLines(file, { what: 'a log', bytes: Number.MAX_SAFE_INTEGER })) if (!LINE.test(line)) damaged++;
  return damaged ? [`${damaged} of its lines are damaged`] : [];
}

async function* followLog(
  directory: string,
  reader: LogReader,
  start: FileHandle | undefined,
  wanted: (entry: LogEntry) => boolean,
  { until, signal, ended }: { readonly until: Date | undefined; readonly signal: AbortSignal | undefined; readonly ended: () => Promise<void> },
): AsyncGenerator<LogEntry> {
  using watching = new Watching(directory, { until, signal });
  void ended().then(() => watching.end());
  let file = start;
  let own: FileHandle | undefined;
  try {
    for (;;) {
      const last = watching.look();
      for (;;) {
        if (file) for await (const entry of reader.read(file)) if (wanted(entry)) yield entry;
        const next = await newer(directory, file);
        if (!next) break;
        // What was written between the last read and the renaming.
        if (file) for await (const entry of reader.read(file)) if (wanted(entry)) yield entry;
        await own?.close();
        file = own = next;
      }
      if (last) return;
      await watching.stirred();
    }
  } finally {
    await own?.close();
  }
}

/** The file that came after this one: of several rotations in between, the first. */
async function newer(directory: string, file: FileHandle | undefined): Promise<FileHandle | undefined> {
  await using files = await openLogs(directory);
  const ino = file && (await file.stat()).ino;
  const inodes = await Promise.all(files.list.map(async (each) => (await each.stat()).ino));
  const at = ino === undefined ? -1 : inodes.indexOf(ino);
  if (at === inodes.length - 1) return undefined;
  // One that is gone was rotated away meanwhile: continue with the oldest there is.
  const handle = files.list[at + 1];
  (files.list as FileHandle[]).splice(at + 1, 1);
  return handle;
}
