import { constants, type Dirent, opendirSync } from 'node:fs';
import path from 'node:path';
import type { MountPoint } from '@lamella/syscall';
import type { HostOverlay, HostPath, ScaffoldEntry } from '../../model/host-view.js';
import { ancestors, isOverlaid, isWithin, look, may, OWN, targetOfLink, unreachable } from './host-paths.js';

/** How an ordinary user's view of the host is put together. */
export interface Assembly {
  readonly scaffold: readonly ScaffoldEntry[];
  readonly overlays: readonly HostOverlay[];
  readonly binds: readonly HostPath[];
  /** All directories that have other mounts below. */
  readonly below: ReadonlySet<string>;
  readonly notes: readonly string[];
}

/** Each start copies so much at most, and mounts so many things: it is to take a moment only. */
const COPIED = { names: 4000, bytes: 64 << 20, fileBytes: 16 << 20, treeNames: 64, treeBytes: 1 << 20 } as const;
const MOUNTS = 400;
/** Names of one directory that are looked at. */
const NAMES = 10_000;
/** Names that a note tells of. */
const TOLD = 5;

/**
 * Decide what an ordinary user's view of the host is made of. A directory that has other mounts below it cannot be the lower of
 * an overlay (the kernel would show what they cover). The lower of its overlay is a directory in the scaffold, where its own files are
 * copies, and so are small directories of the user's. Larger directories have overlays of their own, and other files are bound there.
 *
 * @param wanted real paths: what these are in comes first
 */
export function assemble(mounts: readonly MountPoint[], wanted: readonly string[]): Assembly {
  const below = new Set([...mounts.map(({ point }) => point), ...OWN].flatMap((point) => ancestors(point)));
  const assembler = new Assembler(new Map(mounts.map((mount) => [mount.point, mount])), below, wanted);
  const [root] = mounts;
  if (root) assembler.directory('/', root);
  for (const own of OWN) assembler.scaffold.push({ path: own, type: 'directory' });
  return assembler;
}

/** What a directory that was put together does not do as it does on the host. */
interface Shortcomings {
  readonly fixed: string[];
  readonly readonly: string[];
  readonly missing: string[];
  /** Names that were not looked at. */
  more: boolean;
}

class Assembler implements Assembly {
  readonly scaffold: ScaffoldEntry[] = [];
  readonly overlays: HostOverlay[] = [];
  readonly binds: HostPath[] = [];
  readonly notes: string[] = [];
  readonly below: ReadonlySet<string>;
  readonly #points: ReadonlyMap<string, MountPoint>;
  readonly #wanted: readonly string[];
  readonly #uid = process.geteuid?.() ?? 0;
  readonly #gid = process.getegid?.() ?? 0;
  #names = 0;
  #bytes = 0;

  constructor(points: ReadonlyMap<string, MountPoint>, below: ReadonlySet<string>, wanted: readonly string[]) {
    this.#points = points;
    this.below = below;
    this.#wanted = wanted;
  }

  /** Show a directory with mounts below it. */
  directory(at: string, mount: MountPoint): void {
    if (at !== '/') this.scaffold.push({ path: at, type: 'directory' });
    const names = list(at);
    // Its names are closed to this user, or it cannot be entered: so it is inside.
    if (!names) {
      this.binds.push({ path: at, directory: true });
      return;
    }
    const writable = at !== '/' && isOverlaid(mount) && may(at, constants.W_OK | constants.X_OK);
    if (writable) this.overlays.push({ path: at, ...(this.#points.has(at) ? { mount: true } : {}), assembled: true });
    const short: Shortcomings = { fixed: [], readonly: [], missing: [], more: names.more };
    const found = names.entries.map((entry) => ({ entry, at: path.join(at, entry.name) }));
    const rank = (each: (typeof found)[number]): number => (this.#isWanted(each.at) ? 0 : each.entry.isDirectory() ? 1 : 2);
    for (const each of found.toSorted((a, b) => rank(a) - rank(b))) this.#entry(each.at, mount, writable, short);
    if (writable) this.#note(at, short);
    else if (short.missing.length || short.more) this.#note(at, { ...short, fixed: [], readonly: [] });
  }

  #isWanted(at: string): boolean {
    return this.below.has(at) || this.#wanted.some((each) => isWithin(each, at));
  }

  #entry(at: string, mount: MountPoint, writable: boolean, short: Shortcomings): void {
    const own = this.#points.get(at) ?? mount;
    const found = look(at);
    if (!found || OWN.includes(at)) return;
    const mine = found.uid === this.#uid && found.gid === this.#gid;
    if (found.isSymbolicLink()) {
      const target = targetOfLink(at);
      if (target !== undefined && this.#takes(0))
        this.scaffold.push(writable && mine ? { path: at, type: 'copy', directory: false } : { path: at, type: 'symlink', target });
      else if (target !== undefined) short.missing.push(at);
    } else if (found.isDirectory()) {
      if (this.below.has(at)) this.directory(at, own);
      else if (own === mount && writable && mine && this.#copyTree(at)) return;
      else if (this.#isFull()) short.missing.push(at);
      else {
        this.scaffold.push({ path: at, type: 'directory' });
        if (isOverlaid(own)) {
          this.overlays.push({ path: at, ...(own === mount ? {} : { mount: true }) });
          if (own === mount && found.uid === this.#uid) short.fixed.push(at);
        } else this.binds.push({ path: at, directory: true });
      }
    } else if (found.isFIFO() || found.isSocket()) {
      // One of its own: the process at the host's end is not to be reached.
      if (this.#takes(0)) this.scaffold.push({ path: at, type: 'node', mode: found.mode });
    } else if (own === mount && writable && mine && found.isFile() && found.size <= COPIED.fileBytes && may(at, constants.R_OK) && this.#takes(found.size))
      this.scaffold.push({ path: at, type: 'copy', directory: false });
    else if (this.#isFull()) short.missing.push(at);
    else {
      this.scaffold.push({ path: at, type: 'file' });
      this.binds.push({ path: at, directory: false });
      if (own === mount && may(at, constants.W_OK)) short.readonly.push(at);
      else if (own === mount && found.uid === this.#uid) short.fixed.push(at);
    }
  }

  /** Whether there is room for a copy; then it is taken. */
  #takes(bytes: number): boolean {
    if (this.#names >= COPIED.names || this.#bytes + bytes > COPIED.bytes) return false;
    this.#names++;
    this.#bytes += bytes;
    return true;
  }

  #isFull(): boolean {
    return this.overlays.length + this.binds.length >= MOUNTS;
  }

  /** Copy a small directory with all that is in it, which is the user's own; or nothing of it. */
  #copyTree(top: string): boolean {
    const entries: ScaffoldEntry[] = [];
    let bytes = 0;
    const walk = (at: string): boolean => {
      entries.push({ path: at, type: 'copy', directory: true });
      const names = list(at, COPIED.treeNames);
      if (!names || names.more || !may(at, constants.W_OK)) return false;
      return names.entries.every(({ name }) => {
        const each = path.join(at, name);
        const found = look(each);
        if (!found) return true;
        if (entries.length >= COPIED.treeNames || found.uid !== this.#uid || found.gid !== this.#gid) return false;
        if (found.isDirectory()) return walk(each);
        bytes += found.isFile() ? found.size : 0;
        if (bytes > COPIED.treeBytes || (found.isFile() && !may(each, constants.R_OK))) return false;
        entries.push(found.isFIFO() || found.isSocket() ? { path: each, type: 'node', mode: found.mode } : { path: each, type: 'copy', directory: false });
        return found.isFile() || found.isSymbolicLink() || found.isFIFO() || found.isSocket();
      });
    };
    if (!walk(top) || this.#names + entries.length > COPIED.names || this.#bytes + bytes > COPIED.bytes) return false;
    this.#names += entries.length;
    this.#bytes += bytes;
    this.scaffold.push(...entries);
    return true;
  }

  #note(at: string, { fixed, readonly, missing, more }: Shortcomings): void {
    const told = (what: string, names: readonly string[]): string[] =>
      names.length
        ? [
            `${what}: ${names
              .slice(0, TOLD)
              .map((each) => path.basename(each))
              .join(', ')}${names.length > TOLD ? ` and ${names.length - TOLD} more` : ''}`,
          ]
        : [];
    const parts = [
      ...told('not shown', missing),
      ...(more ? [`only ${NAMES} of its names are shown`] : []),
      ...told('read-only', readonly),
      ...told('impossible to rename or remove', fixed),
    ];
    if (parts.length) this.notes.push(`${at} has other mounts below it. Inside, some of its names are ${parts.join('; ')}.`);
  }
}

/** Undefined for a directory whose names this user may not see, or not follow. */
function list(directory: string, limit = NAMES): { readonly entries: readonly Dirent[]; readonly more: boolean } | undefined {
  if (!may(directory, constants.R_OK | constants.X_OK)) return undefined;
  const entries: Dirent[] = [];
  try {
    const open = opendirSync(directory, { bufferSize: 256 });
    try {
      for (let entry = open.readSync(); entry; entry = open.readSync()) {
        if (entries.length === limit) return { entries, more: true };
        entries.push(entry);
      }
    } finally {
      open.closeSync();
    }
  } catch (error) {
    unreachable(error);
  }
  return { entries: entries.sort((a, b) => (a.name < b.name ? -1 : 1)), more: false };
}
