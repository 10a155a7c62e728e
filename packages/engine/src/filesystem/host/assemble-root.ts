import { constants, type Dirent, opendirSync } from 'node:fs';
import path from 'node:path';
import type { MountPoint } from '@lamella/syscall';
import type { HostOverlay, HostPath, ScaffoldEntry } from '../../model/host-view.js';
import { ancestors, isOverlaid, look, may, OWN, targetOfLink, unreachable } from './host-paths.js';

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
 * Decides what an ordinary user's view of the host is made of. A directory that has other mounts below it cannot be the lower of
 * an overlay (the kernel would show what they cover). The lower of its overlay is a directory in the scaffold, where its own files are
 * copies, and so are small directories of the user's. Each larger directory has its own overlay, and other files are bound there.
 *
 * @param wanted real paths: what these are in comes first
 */
export function assemble(mounts: readonly MountPoint[], wanted: readonly string[]): Assembly {
  const below = new Set([...mounts.map(({ point }) => point), ...OWN].flatMap((point) => ancestors(point)));
  const assembler = new Assembler(new Map(mounts.map((mount) => [mount.point, mount])), below, wanted);
  const [root] = mounts;
  if (root) assembler.show(root);
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

/** A directory with mounts below it. */
interface Assembled {
  readonly at: string;
  readonly mount: MountPoint;
  readonly writable: boolean;
  readonly short: Shortcomings;
}

/** A name in such a directory, which has no mounts below it. */
interface Candidate {
  readonly at: string;
  readonly directory: Assembled;
  readonly rank: number;
}

class Assembler implements Assembly {
  readonly scaffold: ScaffoldEntry[] = [];
  readonly overlays: HostOverlay[] = [];
  readonly binds: HostPath[] = [];
  readonly notes: string[] = [];
  readonly below: ReadonlySet<string>;
  readonly #points: ReadonlyMap<string, MountPoint>;
  readonly #wanted: readonly string[];
  readonly #onTheWay: ReadonlySet<string>;
  readonly #uid = process.geteuid?.() ?? 0;
  readonly #gid = process.getegid?.() ?? 0;
  readonly #directories: Assembled[] = [];
  readonly #candidates: Candidate[] = [];
  #names = 0;
  #bytes = 0;

  constructor(points: ReadonlyMap<string, MountPoint>, below: ReadonlySet<string>, wanted: readonly string[]) {
    this.#points = points;
    this.below = below;
    this.#wanted = wanted;
    this.#onTheWay = new Set(wanted.flatMap((each) => [each, ...ancestors(each)]));
  }

  /**
   * Shows the root, all directories with mounts below it, and what is in them. The number of mounts has a limit, so the most important names come
   * first: a directory of which others have filled thousands of names must not take the place of /usr.
   */
  show(root: MountPoint): void {
    this.#directory('/', root);
    for (const { at, directory } of this.#candidates.toSorted((a, b) => a.rank - b.rank)) this.#entry(at, directory);
    for (const { at, writable, short } of this.#directories) {
      if (writable) this.#note(at, short);
      else if (short.missing.length || short.more) this.#note(at, { ...short, fixed: [], readonly: [] });
    }
  }

  /** Shows a directory with mounts below it, and the directories in it that have, too. */
  #directory(at: string, mount: MountPoint): void {
    if (at !== '/') this.scaffold.push({ path: at, type: 'directory' });
    const names = list(at);
    // Its names are closed to this user, or it cannot be entered: so it is inside.
    if (!names) {
      this.binds.push({ path: at, directory: true });
      return;
    }
    const writable = at !== '/' && isOverlaid(mount) && may(at, constants.W_OK | constants.X_OK);
    if (writable) this.overlays.push({ path: at, ...(this.#points.has(at) ? { mount: true } : {}), assembled: true });
    const directory: Assembled = { at, mount, writable, short: { fixed: [], readonly: [], missing: [], more: names.more } };
    this.#directories.push(directory);
    for (const entry of names.entries) {
      const each = path.join(at, entry.name);
      if (this.below.has(each) && look(each)?.isDirectory()) {
        if (!OWN.includes(each)) this.#directory(each, this.#points.get(each) ?? mount);
      } else this.#candidates.push({ at: each, directory, rank: this.#rank(each, at, entry.isDirectory()) });
    }
  }

  /** The top of the system comes first, then what the command names, other mounts, what is beside the command, and the rest from the top down. */
  #rank(at: string, parent: string, isDirectory: boolean): number {
    if (parent === '/') return 0;
    if (this.#onTheWay.has(at)) return 1;
    if (this.#points.has(at)) return 2;
    const wanted = this.#wanted.indexOf(parent);
    return 3 + 2 * (wanted < 0 ? this.#wanted.length + at.split('/').length : wanted) + (isDirectory ? 0 : 1);
  }

  #entry(at: string, { mount, writable, short }: Assembled): void {
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
      if (own === mount && writable && mine && this.#copyTree(at)) return;
      else if (this.#isFull()) short.missing.push(at);
      else {
        this.scaffold.push({ path: at, type: 'directory' });
        if (isOverlaid(own)) {
          this.overlays.push({ path: at, ...(own === mount ? {} : { mount: true }) });
          if (own === mount && found.uid === this.#uid) short.fixed.push(at);
        } else this.binds.push({ path: at, directory: true });
      }
    } else if (found.isFIFO() || found.isSocket()) {
      // A new one: the process at the host's end must stay out of reach.
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

  /** Copies a small directory with all that is in it, which is the user's own; or nothing of it. */
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
