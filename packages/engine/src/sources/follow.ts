import { readdirSync } from 'node:fs';
import path from 'node:path';
import { absent } from '../absent.js';
import { readConfig } from '../container-config.js';
import { linkIn } from './check.js';
import { noteSources, readSources, type Sources } from './record.js';
import { differenceOf, lookAt, type Source } from './source.js';

/** A container, and which of its sources are what they were. */
interface Follower {
  /** Its own directory. */
  readonly directory: string;
  readonly sources: Sources;
  readonly unchanged: ReadonlySet<string>;
}

/**
 * Does something to directories of the host that the user asked for (an apply, or its undo), which may put other objects in the place of
 * sources of containers: a file that a container changed is another file afterwards. What was as recorded before is recorded anew, for all
 * containers of the store.
 *
 * @param root absolute path of the store
 * @param work returns the absolute paths of what it replaced, and its result
 */
export async function followReplaced<Result>(
  root: string,
  work: () => Promise<{ readonly replaced: readonly string[]; readonly result: Result }>,
): Promise<Result> {
  const before = await followers(root);
  const { replaced, result } = await work();
  if (!replaced.length) return result;
  const paths = new Set(replaced);
  for (const { directory, sources, unchanged } of before) {
    const changed = [...sources].flatMap(([asked, was]): [string, Source][] => {
      const is = unchanged.has(asked) && isBelow(was.path, paths) ? now(was) : undefined;
      return is && is.identity.type === was.identity.type && differenceOf(was, is) !== undefined ? [[asked, is]] : [];
    });
    if (changed.length) noteSources(directory, new Map([...sources, ...changed]));
  }
  return result;
}

/** Containers with sources that are what was recorded. A source that is not is left as it is: it stays refused. */
async function followers(root: string): Promise<readonly Follower[]> {
  const containers = path.join(root, 'containers');
  const found: Follower[] = [];
  for (const id of names(containers)) {
    const directory = path.join(containers, id);
    const config = await readConfig(directory);
    if (!config) continue;
    const sources = readSources(directory, config);
    const unchanged = new Set([...sources].filter(([, was]) => isUnchanged(was)).map(([asked]) => asked));
    if (unchanged.size) found.push({ directory, sources, unchanged });
  }
  return found;
}

function names(directory: string): readonly string[] {
  try {
    return readdirSync(directory).filter((name) => !name.startsWith('.'));
  } catch (error) {
    absent(error as NodeJS.ErrnoException);
    return [];
  }
}

function isUnchanged(was: Source): boolean {
  const is = now(was);
  return is !== undefined && differenceOf(was, is) === undefined;
}

/** What is there now, through no link. */
function now({ path: pathname }: Source): Source | undefined {
  if (linkIn(pathname) !== undefined) return undefined;
  try {
    return lookAt(pathname);
  } catch (error) {
    if (['EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    return absent(error as NodeJS.ErrnoException);
  }
}

/** Whether one of some paths is an object, or something above it. */
function isBelow(pathname: string, paths: ReadonlySet<string>): boolean {
  for (let at = pathname; at !== '/'; at = path.dirname(at)) if (paths.has(at)) return true;
  return false;
}
