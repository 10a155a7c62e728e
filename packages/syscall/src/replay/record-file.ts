import { lstatSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { bytesOf } from '../text/byte-text.js';
import { type Condition, hashOf } from './condition.js';
import type { Template } from './template.js';

/** The form of a record, which the launcher knows (native/launch/run-record.c). Another form has another magic. */
const MAGIC = 'LMLREC01';
/** The longest record that the launcher reads, in bytes. */
const RECORD_MAX: number = 512 * 1024;
/** The most records of one user. The oldest go first. */
const RECORDS_MAX = 256;

/** Which command lines a record is for. */
export const COMMAND_WORDS = {
  /** The words alone: the image has the command. */
  NONE: 0,
  /** Words follow, and the first one has no slash. */
  NAME: 1,
  /** Words follow, and the first one has a slash. */
  PATH: 2,
} as const;

/** A run that can be started again without Node. */
export interface RunRecord {
  /** Absolute path of the installed package whose launcher may use the record. */
  readonly package: string;
  /** The words of the command line before the command of the container. */
  readonly words: readonly string[];
  readonly commandWords: (typeof COMMAND_WORDS)[keyof typeof COMMAND_WORDS];
  /** Whether the container reads stdin. */
  readonly stdin: boolean;
  /** Whether the front ends when the command has begun. */
  readonly detached: boolean;
  /** Whether the launcher says that it used the record (`--debug`). */
  readonly debug: boolean;
  readonly conditions: readonly Condition[];
  /** Node, the script and the word that explain a failure. */
  readonly explainer: readonly [string, string, string];
  /** The commands that map ids, as the front takes them. */
  readonly maps: string;
  /** Two lists of words with a space between them: a name is a word of each. Empty if the container is given none. */
  readonly names: readonly [string, string];
  /** Absolute path of the directory of all containers. */
  readonly containers: string;
  readonly program: Template;
  readonly context: Template;
  readonly title: Template;
  readonly left: Template;
}

/** Returns the name of the file of a record. */
function fileNameOf({ package: owner, words, commandWords }: Pick<RunRecord, 'package' | 'words' | 'commandWords'>): string {
  const text = [owner, ...words].map((each) => `${each}\0`).join('');
  return `${hashOf(bytesOf(text)).toString(16).padStart(16, '0')}-${commandWords}`;
}

/** Returns the bytes of a record. Numbers are little-endian; a string is its length of 32 bits, its bytes, and a NUL. */
export function encodeRecord(record: RunRecord): Buffer {
  const parts: Buffer[] = [];
  const number = (value: number): void => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value);
    parts.push(bytes);
  };
  const wide = (value: bigint): void => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(BigInt.asUintN(64, value));
    parts.push(bytes);
  };
  const string = (value: string | Buffer): void => {
    const bytes = typeof value === 'string' ? bytesOf(value) : value;
    number(bytes.length);
    parts.push(bytes, Buffer.alloc(1));
  };
  const template = ({ bytes, holes, lengths }: Template): void => {
    string(bytes);
    number(holes.length);
    for (const { kind, at, length, from } of holes) for (const each of [kind, at, length, from]) number(each);
    number(lengths.length);
    for (const { at, from, to } of lengths) for (const each of [at, from, to]) number(each);
  };
  number((record.stdin ? 1 : 0) | (record.debug ? 2 : 0) | (record.detached ? 4 : 0));
  number(record.commandWords);
  string(record.package);
  number(record.words.length);
  for (const each of record.words) string(each);
  number(record.conditions.length);
  for (const { kind, name, numbers, text } of record.conditions) {
    number(kind);
    string(name);
    string(text);
    number(numbers.length);
    for (const each of numbers) wide(each);
  }
  for (const each of [...record.explainer, record.maps, ...record.names, record.containers]) string(each);
  for (const each of [record.program, record.context, record.title, record.left]) template(each);
  const body = Buffer.concat(parts);
  const sum = Buffer.alloc(8);
  sum.writeBigUInt64LE(hashOf(body));
  return Buffer.concat([Buffer.from(MAGIC), sum, body]);
}

/**
 * Returns the directory of a user's records: `lamella/replay` in the cache directory (XDG Base Directory Specification). Services of
 * root's have no home directory and use the cache of the system (hier(7)).
 */
export function recordsDirectory({ XDG_CACHE_HOME, HOME }: Readonly<Record<string, string | undefined>>): string | undefined {
  const home = HOME || process.geteuid?.() !== 0 ? HOME && `${HOME}/.cache` : '/var/cache';
  const cache = XDG_CACHE_HOME || home;
  return cache?.startsWith('/') ? path.join(cache, 'lamella', 'replay') : undefined;
}

/**
 * Writes a record, by a rename. A cache directory that cannot be written to, or that others can write to, gets none.
 *
 * @returns whether it is there now
 */
export function writeRecord(directory: string, record: RunRecord): boolean {
  const bytes = encodeRecord(record);
  if (bytes.length > RECORD_MAX) return false;
  const file = path.join(directory, fileNameOf(record));
  const partial = `${file}.${process.pid}`;
  try {
    if (!isPrivate(path.dirname(path.dirname(directory)))) return false;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    if (!isPrivate(path.dirname(directory)) || !isPrivate(directory, 0o700)) return false;
    // A partial file is left by a process that was killed.
    writeFileSync(partial, bytes, { mode: 0o600, flag: 'wx' });
    renameSync(partial, file);
    removeOldest(directory);
    return true;
  } catch {
    // A record only saves time.
    return false;
  }
}

/** Returns whether a directory, or the first one above it that exists, is the user's own and nobody else can write there. */
function isPrivate(directory: string, mode?: number): boolean {
  const stat = statSync(directory, { throwIfNoEntry: false });
  if (!stat) return directory !== '/' && isPrivate(path.dirname(directory), mode);
  const isOwn = stat.isDirectory() && stat.uid === process.geteuid?.();
  return isOwn && (mode === undefined ? (stat.mode & 0o002) === 0 : (stat.mode & 0o777) === mode);
}

function removeOldest(directory: string): void {
  const names = readdirSync(directory);
  if (names.length <= RECORDS_MAX) return;
  const files = names.map((name) => path.join(directory, name));
  const dated = files.map((file) => ({ file, time: lstatSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0 })).toSorted((a, b) => a.time - b.time);
  for (const { file } of dated.slice(0, names.length - RECORDS_MAX)) rmSync(file, { force: true });
}
