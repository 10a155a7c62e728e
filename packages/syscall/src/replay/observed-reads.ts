import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { bytesOf, textOf } from '../text/byte-text.js';
import { CONDITION, type Condition, hashOf, identityOf, placeOf } from './condition.js';

type Call = (...args: unknown[]) => unknown;
type Calls = Record<string, Call>;

/** Functions of node:fs that change something. The next run may not have to change the same. */
const CHANGES = [
  ...['appendFile', 'chmod', 'chown', 'copyFile', 'cp', 'lchown', 'link', 'lutimes', 'mkdir', 'mkdtemp', 'rename', 'rm', 'rmdir', 'symlink'],
  ...['truncate', 'unlink', 'utimes', 'writeFile'],
];
/** Functions that read in a way that no condition describes. */
const UNKNOWN = ['createReadStream', 'createWriteStream', 'watch', 'watchFile', 'glob', 'openAsBlob'];
/** Modules of Node that speak to others. */
const SPEAKERS = ['_http_client', 'worker_threads', 'internal/deps/undici/undici'].map((each) => `NativeModule ${each}`);
const WRITING = fs.constants.O_WRONLY | fs.constants.O_RDWR | fs.constants.O_CREAT | fs.constants.O_TRUNC;
/** An object that changed so short before it was read may change again without another time (git calls such entries racy). */
const RACY_NANOSECONDS = 100_000_000n;

/** The functions before they were observed. */
const { fstatSync, lstatSync, readFileSync, readlinkSync, statfsSync, statSync } = fs;
const original = { fstatSync, lstatSync, readFileSync, readlinkSync, statfsSync, statSync };

/** Files of a process that are the same for the launcher. Of `status` only the capabilities are read. */
const SAME_IN_THE_LAUNCHER: ReadonlySet<string> = new Set(['/proc/self/mountinfo', '/proc/self/cgroup']);

/** What a process has read since it began to observe itself. */
export class ObservedReads {
  readonly #conditions = new Map<string, Condition>();
  readonly #spoken = new Set(SPEAKERS.filter(isLoaded));
  readonly #children = children();
  readonly #descriptors = new Set<number>();
  #obstacle: string | undefined;
  #paused = 0;
  #inside = false;

  /** Why the reads cannot be written down as conditions; undefined if they can. */
  get obstacle(): string | undefined {
    const speaker = SPEAKERS.find((each) => isLoaded(each) && !this.#spoken.has(each));
    if (this.#obstacle !== undefined) return this.#obstacle;
    if (speaker) return `${speaker.slice('NativeModule '.length)} was loaded`;
    return this.aside(children) === this.#children ? undefined : 'another process was asked';
  }

  /** The conditions under which the same reads return the same. */
  get conditions(): readonly Condition[] {
    return [...this.#conditions.values()];
  }

  /** Adds a condition, unless one of its kind and name is there: what was read first is what the plan depends on. */
  add(condition: Condition): void {
    if (this.#paused) return;
    const key = `${condition.kind} ${condition.name}`;
    if (!this.#conditions.has(key)) this.#conditions.set(key, condition);
  }

  /** Notes that something happened which no condition describes. */
  stop(why: string): void {
    if (!this.#paused) this.#obstacle ??= why;
  }

  /** Reads that the plan does not depend on. */
  aside<Result>(read: () => Result): Result {
    this.#paused++;
    let later = false;
    try {
      const result = read();
      if (!(result instanceof Promise)) return result;
      later = true;
      return result.finally(() => this.#paused--) as Result;
    } finally {
      if (!later) this.#paused--;
    }
  }

  /** Looks at what a function is about to read, and calls it. Node's functions call each other: only the outermost call is a read. */
  once(look: () => void, call: () => unknown): unknown {
    if (this.#paused || this.#inside) return call();
    this.#inside = true;
    try {
      look();
      return call();
    } finally {
      this.#inside = false;
    }
  }

  /** Adds that a variable of the environment has a value, or is not set. */
  variable(name: string, value: string | undefined): void {
    this.add(value === undefined ? { kind: CONDITION.NO_VARIABLE, name, numbers: [], text: '' } : { kind: CONDITION.VARIABLE, name, numbers: [], text: value });
  }

  /** Adds the current directory. */
  directory(text: string): void {
    this.add({ kind: CONDITION.DIRECTORY, name: '', numbers: [], text });
  }

  /** A descriptor that was opened under observation: paths through it need no condition. */
  opened(descriptor: unknown): void {
    if (typeof descriptor === 'number') this.#descriptors.add(descriptor);
  }

  /** Something was looked up: whether it is there. */
  presence(place: unknown): void {
    const pathname = this.#pathOf(place);
    if (pathname === undefined) return;
    try {
      original.statSync(bytesIfNeeded(pathname));
      this.add({ kind: CONDITION.EXISTS, name: pathname, numbers: [], text: '' });
    } catch (error) {
      this.#absence(pathname, error);
    }
  }

  /** An object was looked at, or is about to be read. */
  object(place: unknown, reads: boolean): void {
    const pathname = this.#pathOf(place);
    if (pathname === undefined || this.#paused) return;
    try {
      if (/^\/(?:proc|sys)\//.test(pathname)) this.#pseudo(pathname, reads);
      else this.#real(pathname, reads);
    } catch (error) {
      this.#absence(pathname, error);
    }
  }

  #pseudo(pathname: string, reads: boolean): void {
    const stat = original.statSync(bytesIfNeeded(pathname));
    if (!reads) this.add({ kind: CONDITION.EXISTS, name: pathname, numbers: [], text: '' });
    else if (!stat.isFile()) this.stop(`${pathname} was listed`);
    else {
      const content = original.readFileSync(bytesIfNeeded(pathname));
      this.add({ kind: CONDITION.CONTENT, name: pathname, numbers: [BigInt(content.length), hashOf(content)], text: '' });
    }
  }

  #real(pathname: string, reads: boolean): void {
    const at = bytesIfNeeded(pathname);
    const own = original.lstatSync(at, { bigint: true });
    const isLink = own.isSymbolicLink();
    const followed = isLink ? original.statSync(at, { bigint: true }) : own;
    if (isLink) this.#same(CONDITION.SAME, pathname, own);
    // A directory that is not listed may get and lose names: what is in it is observed where it is read.
    if (followed.isDirectory() && !reads) this.add({ kind: CONDITION.PLACE, name: pathname, numbers: placeOf(followed), text: '' });
    else this.#same(isLink ? CONDITION.FOLLOWED : CONDITION.SAME, pathname, followed);
    if (reads && !followed.isFile() && !followed.isDirectory()) this.stop(`${pathname} is neither a file nor a directory`);
  }

  #same(kind: typeof CONDITION.SAME | typeof CONDITION.FOLLOWED, name: string, stat: fs.BigIntStats): void {
    const now = BigInt(Date.now()) * 1_000_000n;
    if (!stat.isCharacterDevice() && now - stat.ctimeNs < RACY_NANOSECONDS) this.stop(`${name} changed a moment ago`);
    this.add({ kind, name, numbers: identityOf(stat), text: '' });
  }

  #absence(pathname: string, error: unknown): void {
    const { code } = error as NodeJS.ErrnoException;
    const errno = code && (os.constants.errno as Record<string, number>)[code];
    if (!errno) throw error;
    this.add({ kind: CONDITION.ABSENT, name: pathname, numbers: [BigInt(errno)], text: '' });
  }

  /** The links that lead to a real path. */
  links(place: unknown): void {
    const pathname = this.#pathOf(place);
    if (pathname === undefined || this.#paused) return;
    const names = pathname.split('/');
    for (let i = 2; i < names.length; i++) {
      const parent = names.slice(0, i).join('/');
      const stat = original.lstatSync(bytesIfNeeded(parent), { bigint: true, throwIfNoEntry: false });
      if (stat?.isSymbolicLink()) this.#same(CONDITION.SAME, parent, stat);
    }
    this.object(pathname, false);
  }

  /** Adds the type of the filesystem at a path. */
  filesystem(place: unknown): void {
    const pathname = this.#pathOf(place);
    if (pathname === undefined || this.#paused) return;
    try {
      this.add({ kind: CONDITION.FSTYPE, name: pathname, numbers: [BigInt(original.statfsSync(bytesIfNeeded(pathname)).type)], text: '' });
    } catch (error) {
      this.#absence(pathname, error);
    }
  }

  /** Returns the absolute path, without descriptors of this process; undefined if it needs no condition. */
  #pathOf(place: unknown): string | undefined {
    if (typeof place === 'number' || this.#paused) return undefined;
    const text = place instanceof URL ? place.pathname : typeof place === 'string' ? place : textOf(place as Uint8Array);
    if (!text.startsWith('/')) this.directory(process.cwd());
    const absolute = path.resolve(text);
    const [whole, descriptor, rest = ''] = /^(?:\/proc\/self\/fd|\/dev\/fd)\/(\d+)(\/.*)?$/.exec(absolute) ?? [];
    if (whole === undefined) {
      if (absolute === '/proc/self/status') {
        const mask = BigInt(`0x${/^CapEff:\s*(\w+)/m.exec(original.readFileSync(absolute, 'utf8'))?.[1] ?? '0'}`);
        this.add({ kind: CONDITION.CAPABILITIES, name: '', numbers: [mask], text: '' });
        return undefined;
      }
      if (absolute.startsWith('/proc/self/') && !SAME_IN_THE_LAUNCHER.has(absolute)) this.stop(`${absolute} was read`);
      return absolute;
    }
    const number = Number(descriptor);
    const target = textOf(original.readlinkSync(`/proc/self/fd/${number}`, { encoding: 'buffer' }));
    if (!this.#descriptors.has(number) || !target.startsWith('/')) this.stop(`${absolute} was opened`);
    return rest ? target + rest : undefined;
  }
}

/** Returns what tells whether a process was started: the page faults of those that have ended, and the ids of those that run (proc_pid_stat(5)). */
function children(): string {
  const stat = original.readFileSync('/proc/self/stat', 'latin1');
  const [, , , , , , , , faults] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return `${faults} ${original.readFileSync(`/proc/self/task/${process.pid}/children`, 'latin1')}`;
}

function isLoaded(name: string): boolean {
  return (process as unknown as { moduleLoadList: readonly string[] }).moduleLoadList.includes(name);
}

/** Returns a path for the functions of Node: bytes where it is not UTF-8. */
function bytesIfNeeded(pathname: string): string | Buffer {
  return pathname.isWellFormed() ? pathname : Buffer.from(bytesOf(pathname));
}

let observed: ObservedReads | undefined;

/**
 * Begins to observe what this process reads: files, the environment and the working directory. It wraps the functions of node:fs, so no
 * module can read around it. It is for a command line, which has its process for itself.
 */
export function observeReads(): ObservedReads {
  if (observed) return observed;
  const reads = new ObservedReads();
  observed = reads;
  observeFiles(fs as unknown as Calls, 'Sync', reads);
  observeLater(reads);
  observeProcess(reads);
  return reads;
}

/** Returns what {@link observeReads} has observed; undefined if nothing is. */
export function observedReads(): ObservedReads | undefined {
  return observed;
}

/** Runs a function whose reads no plan depends on. */
export function unobserved<Result>(read: () => Result): Result {
  return observed ? observed.aside(read) : read();
}

function observeFiles(calls: Calls, suffix: 'Sync' | '', reads: ObservedReads): void {
  const before = (name: string, look: (place: unknown, second: unknown) => void, after?: (result: unknown) => void): void => {
    const call = calls[name + suffix];
    if (!call) return;
    const observing = (...args: unknown[]): unknown =>
      reads.once(
        () => look(args[0], args[1]),
        () => {
          const result = call.apply(calls, args);
          after?.(result);
          return result;
        },
      );
    calls[name + suffix] = 'native' in call ? Object.assign(observing, { native: observing }) : observing;
  };
  for (const name of ['access', 'exists']) before(name, (place) => reads.presence(place));
  for (const name of ['stat', 'lstat', 'readlink']) before(name, (place) => reads.object(place, false));
  for (const name of ['readFile', 'readdir', 'opendir']) before(name, (place) => reads.object(place, true));
  before('realpath', (place) => reads.links(place));
  before('statfs', (place) => reads.filesystem(place));
  before(
    'open',
    (place, flags) => {
      if (isWriting(flags)) reads.stop(`${String(place)} was opened for writing`);
      // An open without access to the content, or of a directory, is a look.
      else reads.object(place, typeof flags === 'number' ? (flags & O_PATH) === 0 : true);
    },
    (result) => {
      reads.opened(result);
      // A handle of node:fs/promises.
      if (result instanceof Promise) result.then(({ fd }: { fd: number }) => reads.opened(fd)).catch(() => undefined);
    },
  );
  for (const name of CHANGES) before(name, (place) => reads.stop(`${String(place)} was changed`));
  if (suffix) for (const name of UNKNOWN) beforeUnknown(calls, name, reads);
}

const O_PATH = 0o10000000;

function isWriting(flags: unknown): boolean {
  if (typeof flags === 'number') return (flags & WRITING) !== 0 && (flags & O_PATH) === 0;
  return typeof flags === 'string' && /[wa+]/.test(flags);
}

function beforeUnknown(calls: Calls, name: string, reads: ObservedReads): void {
  const call = calls[name];
  if (!call) return;
  calls[name] = (...args: unknown[]): unknown => {
    reads.stop(`${name} was called`);
    return call.apply(calls, args);
  };
}

/** Observes the promises of node:fs from their first use, because loading them takes a millisecond. */
function observeLater(reads: ObservedReads): void {
  const load = Object.getOwnPropertyDescriptor(fs, 'promises')?.get;
  let promises: Calls | undefined;
  const get = (): Calls => {
    if (promises) return promises;
    promises = load?.call(fs) as Calls;
    observeFiles(promises, '', reads);
    return promises;
  };
  Object.defineProperty(fs, 'promises', { configurable: true, enumerable: true, get });
}

function observeProcess(reads: ObservedReads): void {
  const { cwd, env } = process;
  process.cwd = () => {
    const directory = cwd();
    reads.directory(directory);
    return directory;
  };
  process.env = new Proxy(env, {
    get(target, name) {
      const value = Reflect.get(target, name) as string | undefined;
      if (typeof name === 'string') reads.variable(name, value);
      return value;
    },
    has(target, name) {
      if (typeof name === 'string') reads.variable(name, target[name]);
      return Reflect.has(target, name);
    },
    ownKeys(target) {
      reads.add({ kind: CONDITION.ENVIRONMENT, name: '', numbers: [hashOf(reads.aside(() => original.readFileSync('/proc/self/environ')))], text: '' });
      return Reflect.ownKeys(target);
    },
  });
  const { homedir, userInfo } = os;
  // Both may look into passwd(5).
  os.homedir = () => {
    reads.object('/etc/passwd', true);
    reads.variable('HOME', env.HOME);
    return homedir();
  };
  os.userInfo = ((...options: Parameters<typeof userInfo>) => {
    reads.object('/etc/passwd', true);
    return userInfo(...options);
  }) as typeof userInfo;
}

/** Major numbers of terminals (Documentation/admin-guide/devices.txt). */
const TERMINALS: ReadonlySet<number> = new Set([4, 5, 136, 137, 138, 139, 140, 141, 142, 143]);

/** The major number of /dev/null and its like. */
const MEMORY = 1;

/** Returns 1 for a terminal, the number of another character device, and 0 for everything else: isatty(3) without its module, which loads slowly. */
function kindOfDescriptor(fd: number): number {
  const stat = original.fstatSync(fd);
  const major = (stat.rdev >>> 8) & 0xfff;
  if (!stat.isCharacterDevice() || major === MEMORY) return 0;
  return TERMINALS.has(major) ? 1 : stat.rdev;
}

/** Returns the condition on who calls, from where, and with which stdin, stdout and stderr. */
export function callerCondition(): Condition {
  const umask = process.umask(0o077);
  process.umask(umask);
  const ids = [process.getuid?.(), process.geteuid?.(), process.getgid?.(), process.getegid?.(), umask, ...[0, 1, 2].map(kindOfDescriptor)];
  // Node adds the effective group, which the kernel may list or not.
  const groups = (process.getgroups?.() ?? []).filter((each) => each !== process.getegid?.());
  return { kind: CONDITION.CALLER, name: '', numbers: [...ids.map((each) => each ?? 0), ...groups].map(BigInt), text: '' };
}
