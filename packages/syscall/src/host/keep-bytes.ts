import fs from 'node:fs';
import os from 'node:os';
import { bytesOf, textOf } from '../text/byte-text.js';

const REPLACED = '\ufffd';

type Call = (...args: unknown[]) => unknown;
type Calls = Record<string, Call>;

/**
 * Functions of node:fs on paths, and how many of their first arguments are some. `opendirSync`, `mkdtemp` and streams are wrapped, too. What
 * else takes or returns paths is refused by scripts/check-file-readers.mjs, and a test compares both lists with node:fs.
 */
const PATHS: Readonly<Record<string, number>> = {
  access: 1,
  appendFile: 1,
  chmod: 1,
  chown: 1,
  copyFile: 2,
  exists: 1,
  lchown: 1,
  link: 2,
  lstat: 1,
  lutimes: 1,
  mkdir: 1,
  open: 1,
  readdir: 1,
  readFile: 1,
  readlink: 1,
  realpath: 1,
  rename: 2,
  rm: 1,
  rmdir: 1,
  stat: 1,
  statfs: 1,
  symlink: 2,
  truncate: 1,
  unlink: 1,
  utimes: 1,
  writeFile: 1,
};
/** Those that return names. */
const NAMES = ['readdir', 'readlink', 'realpath'];

/**
 * Makes this process keep bytes that are no UTF-8, in the form of {@link textOf}: node:fs takes and returns paths and names so,
 * `process.cwd()`, `process.env` and `os.homedir()` return what is there. Node itself has U+FFFD for each such byte, which names another file.
 *
 * For programs of ours, whose process is their own: a call of node:fs anywhere in them that knew nothing of this would make or change a file
 * that nobody named. Paths that are UTF-8 are passed on as they are. ES modules that were imported before see it after
 * `syncBuiltinESMExports()` (node:module).
 */
export function keepBytes(): void {
  const sync = fs as unknown as Calls;
  for (const [name, paths] of Object.entries(PATHS)) replace(sync, `${name}Sync`, paths, NAMES.includes(name) ? namesOf(sync, `${name}Sync`) : undefined);
  for (const name of ['createReadStream', 'createWriteStream', 'watch']) replace(sync, name, 1);
  const { mkdtempSync, opendirSync } = fs as unknown as { mkdtempSync: Call; opendirSync: Call };
  replace(sync, 'mkdtempSync', 1, (prefix, options) => (wantsText(options) ? asText(mkdtempSync(prefix, inBytes(options))) : mkdtempSync(prefix, options)));
  replace(sync, 'opendirSync', 1, (place, options) =>
    wantsText(options) ? inText(opendirSync(place, inBytes(options)) as fs.Dir) : opendirSync(place, options),
  );
  keepLater();
  keepEnvironment();
  keepDirectory();
}

/** Node takes a millisecond to load the promises of node:fs: they are replaced when they are first used, by way of node:fs. */
function keepLater(): void {
  const load = Object.getOwnPropertyDescriptor(fs, 'promises')?.get;
  let promises: Calls | undefined;
  const get = (): Calls => {
    if (promises) return promises;
    promises = load?.call(fs) as Calls;
    for (const [name, paths] of Object.entries(PATHS)) replace(promises, name, paths, NAMES.includes(name) ? namesLaterOf(promises, name) : undefined);
    const { mkdtemp } = promises as { mkdtemp: Call };
    replace(promises, 'mkdtemp', 1, async (prefix, options) =>
      wantsText(options) ? asText(await mkdtemp(prefix, inBytes(options))) : mkdtemp(prefix, options),
    );
    return promises;
  };
  Object.defineProperty(fs, 'promises', { configurable: true, enumerable: true, get });
}

/** Let a function take text of bytes in place of its first arguments. */
function replace(calls: Calls, name: string, paths: number, names?: Call): void {
  const original = calls[name];
  if (!original) return;
  const call = names ?? original;
  const replaced = (...args: unknown[]): unknown => {
    for (let i = 0; i < paths; i++) {
      const each = args[i];
      if (typeof each === 'string' && !each.isWellFormed()) args[i] = bytesOf(each);
    }
    return call.apply(calls, args);
  };
  calls[name] = 'native' in original ? Object.assign(replaced, { native: replaced }) : replaced;
}

/** A directory that was opened with names in bytes: it is read synchronously, entry by entry, with the names as text. */
function inText(directory: fs.Dir): fs.Dir {
  const readSync = directory.readSync.bind(directory);
  directory.readSync = () => {
    const entry = readSync();
    return entry && (asText(entry) as fs.Dirent);
  };
  return directory;
}

/** The same function, with names that are not UTF-8 as text of bytes. */
function namesOf(calls: Calls, name: string): Call {
  // The other realpath is written in JavaScript, and makes text of what it is given.
  const original = name === 'realpathSync' ? (fs.realpathSync.native as Call) : (calls[name] as Call);
  return (place, options) => {
    const found = original(place, options);
    return isLossy(found) && wantsText(options) ? asText(original(place, inBytes(options))) : withParents(found);
  };
}

function namesLaterOf(calls: Calls, name: string): Call {
  const original = calls[name] as Call;
  return async (place, options) => {
    const found = await original(place, options);
    return isLossy(found) && wantsText(options) ? asText(await original(place, inBytes(options))) : withParents(found);
  };
}

/** Entries of a directory whose own path was given in bytes have it as bytes. */
function withParents(found: unknown): unknown {
  if (Array.isArray(found)) for (const each of found) if ((each as { parentPath?: unknown } | null)?.parentPath instanceof Uint8Array) asText(each);
  return found;
}

function wantsText(options: unknown): boolean {
  const encoding = typeof options === 'string' ? options : (options as { encoding?: unknown } | undefined)?.encoding;
  return encoding === undefined || encoding === null || encoding === 'utf8' || encoding === 'utf-8';
}

function inBytes(options: unknown): object {
  return { ...(typeof options === 'object' ? options : {}), encoding: 'buffer' };
}

/** A name, several, or entries of a directory. */
function isLossy(found: unknown): boolean {
  if (Array.isArray(found)) return found.some(isLossy);
  if (typeof found === 'string') return found.includes(REPLACED);
  return typeof (found as { name?: unknown } | null)?.name === 'string' && isLossy((found as { name: string }).name);
}

function asText(found: unknown): unknown {
  if (Array.isArray(found)) return found.map(asText);
  if (found instanceof Uint8Array) return textOf(found);
  if (typeof found === 'string') return found;
  const entry = found as { name: unknown; parentPath: unknown };
  entry.name = asText(entry.name);
  entry.parentPath = asText(entry.parentPath);
  return entry;
}

/** At the start of a process nothing has set variables but Node, by files that it should not have read. */
function keepEnvironment(): void {
  if (!isLossy(fs.readFileSync('/proc/self/environ', 'utf8'))) return;
  const env: NodeJS.ProcessEnv = {};
  for (const each of textOf(fs.readFileSync('/proc/self/environ')).split('\0').slice(0, -1)) {
    const equals = each.indexOf('=');
    // Of several with one name the first counts (getenv(3)).
    if (equals > 0) env[each.slice(0, equals)] ??= each.slice(equals + 1);
  }
  process.env = env;
  const { homedir } = os;
  os.homedir = () => process.env.HOME ?? homedir();
}

function keepDirectory(): void {
  const { cwd } = process;
  if (!isLossy(cwdOr(cwd))) return;
  process.cwd = () => (isLossy(cwd()) ? textOf(fs.readlinkSync('/proc/self/cwd', { encoding: 'buffer' })) : cwd());
}

/** One that is gone is the failure of who asks for it. */
function cwdOr(cwd: () => string): string {
  try {
    return cwd();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}
