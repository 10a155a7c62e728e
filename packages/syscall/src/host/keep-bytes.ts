import fs from 'node:fs';
import os from 'node:os';
import { bytesOf, textOf } from '../text/byte-text.js';

const REPLACED = '\ufffd';

type Call = (...args: unknown[]) => unknown;
type Calls = Record<string, Call>;

/**
 * Functions of node:fs that take paths, and how many of their first arguments are paths. `opendirSync`, `mkdtemp` and streams are
 * wrapped too. scripts/check-file-readers.mjs refuses all other functions with paths; a test compares both lists with node:fs.
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
/** Functions that return names. */
const NAMES = ['readdir', 'readlink', 'realpath'];

/**
 * Makes this process keep bytes that are not UTF-8, in the form of {@link textOf}: node:fs takes and returns paths in that form, and so
 * do `process.cwd()`, `process.env` and `os.homedir()`. Node itself replaces each such byte by U+FFFD, which names another file.
 *
 * It is for programs that own their process: a call of node:fs that did not expect this would act on the wrong file. UTF-8 paths are
 * passed on unchanged. ES modules that were imported before see the change after `syncBuiltinESMExports()` (node:module).
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

/** Replaces the promises of node:fs at their first use, because loading them takes a millisecond. */
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

/** Returns a function that takes text in place of bytes in its first arguments. */
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

/** A directory opened with names in bytes. It is read synchronously, entry by entry, and returns names as text. */
function inText(directory: fs.Dir): fs.Dir {
  const readSync = directory.readSync.bind(directory);
  directory.readSync = () => {
    const entry = readSync();
    return entry && (asText(entry) as fs.Dirent);
  };
  return directory;
}

/** Returns the function with names that are not UTF-8 as text. */
function namesOf(calls: Calls, name: string): Call {
  // The other realpath is JavaScript and converts its argument to text.
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

/** Converts the parent path of entries, which are bytes if the path was. */
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

/** Converts a name, a list of names, or entries of a directory. */
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

/** Restores the exact bytes of the environment. At the start only Node can have changed it, through files that it should not read. */
function keepEnvironment(): void {
  if (!isLossy(fs.readFileSync('/proc/self/environ', 'utf8'))) return;
  const env: NodeJS.ProcessEnv = {};
  for (const each of textOf(fs.readFileSync('/proc/self/environ')).split('\0').slice(0, -1)) {
    const equals = each.indexOf('=');
    // The first of several variables with one name counts (getenv(3)).
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

/** Returns the working directory, or an empty string if it was removed: calls that need it fail later. */
function cwdOr(cwd: () => string): string {
  try {
    return cwd();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}
