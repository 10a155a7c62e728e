import { FILE_BOUNDS, FileError, HeldFile, readLines, unfitForUpper, whiteoutFile } from '@lamella/syscall';

const MAX_LINKS = 40;

/**
 * Reads a file as a process in the container would see it, before there is one, line by line. Links are followed inside
 * of the layers only, also while a container exchanges what is in the topmost.
 *
 * A handful of calls on small files: done at once, for a trip to the thread pool takes longer than each.
 *
 * @param layers absolute host directories, the topmost first
 * @param mention what a line must have in it
 * @returns no line when there is no such file
 * @throws FileError `FILE_IRREGULAR`, `FILE_TOO_LARGE`, `FILE_UNREADABLE`
 */
export function* rootfsLines(layers: readonly string[], file: string, mention?: string): Generator<string> {
  using held = holdRootfsFile(layers, file);
  if (held) yield* readLines({ held, name: file }, FILE_BOUNDS.users, mention);
}

/** Holds what a path leads to in a stack of layers. */
function holdRootfsFile(layers: readonly string[], file: string): HeldFile | undefined {
  try {
    return follow(layers, file);
  } catch (error) {
    throw FileError.of(file, error as NodeJS.ErrnoException);
  }
}

function follow(layers: readonly string[], file: string): HeldFile | undefined {
  using kept = new DisposableStack();
  // Of an upper of a container that runs only the directory itself is ours.
  const roots = layers.flatMap((layer) => {
    const root = HeldFile.at(layer);
    return root ? [kept.use(root)] : [];
  });
  // There whiteouts are files.
  const files = layers[0] !== undefined && unfitForUpper(layers[0]) !== undefined;
  let pending = components(file);
  let at: string[] = [];
  for (let links = 0; pending.length; ) {
    const [name, ...rest] = pending as [string, ...string[]];
    pending = rest;
    if (name === '..') {
      at = at.slice(0, -1);
      continue;
    }
    const next = [...at, name];
    const target = linkOf(roots, next, files);
    if (target === undefined) {
      at = next;
      continue;
    }
    if (++links > MAX_LINKS) return undefined;
    if (target.startsWith('/')) at = [];
    pending = [...components(target), ...pending];
  }
  return at.length ? topmost(roots, at, files)?.entry : undefined;
}

/** Where a path leads, if it is a link. */
function linkOf(roots: readonly HeldFile[], parts: readonly string[], files: boolean): string | undefined {
  const hit = topmost(roots, parts, files);
  using _entry = hit?.entry;
  return hit?.target;
}

/** An entry, which the caller disposes of; or, of a link, what it says. */
type Hit = { readonly entry: HeldFile; readonly target: undefined } | { readonly entry: undefined; readonly target: string };

/** The entry of the topmost layer that has it, whiteouts and files in the way respected. */
function topmost(roots: readonly HeldFile[], parts: readonly string[], files: boolean): Hit | undefined {
  for (const root of roots) {
    const found = inLayer(root, parts, files);
    if (found === 'hidden') return undefined;
    if (found) return found;
  }
  return undefined;
}

/** @returns `hidden` when the layers below do not count for this path, undefined when they do */
function inLayer(root: HeldFile, parts: readonly string[], files: boolean): Hit | 'hidden' | undefined {
  using kept = new DisposableStack();
  let directory = root;
  for (const [depth, name] of parts.entries()) {
    const entry = directory.entry(name);
    if (!entry) {
      using whiteout = files ? directory.entry(whiteoutFile(name)) : undefined;
      return whiteout ? 'hidden' : undefined;
    }
    if (depth === parts.length - 1) {
      const whiteout = entry.stat.isCharacterDevice() && entry.stat.rdev === 0;
      if (!whiteout && !entry.stat.isSymbolicLink()) return { entry, target: undefined };
      kept.use(entry);
      return whiteout ? 'hidden' : { entry: undefined, target: directory.linkTarget(name) };
    }
    kept.use(entry);
    if (!entry.stat.isDirectory()) return 'hidden';
    directory = entry;
  }
  return undefined;
}

function components(path: string): string[] {
  return path.split('/').filter((name) => name && name !== '.');
}
