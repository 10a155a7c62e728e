import { lstat, readFile, readlink } from 'node:fs/promises';
import path from 'node:path';

const MAX_LINKS = 40;

/**
 * Read a file as a process in the container would see it, before there is one: `layers` are
 * absolute host directories, the topmost first; links are followed inside of them only.
 *
 * @returns undefined when there is no such file
 */
export async function readRootfsFile(layers: readonly string[], file: string): Promise<string | undefined> {
  const found = await resolve(layers, file);
  return found === undefined ? undefined : readFile(found, 'utf8');
}

/** The host path of a file in a stack of layers. */
async function resolve(layers: readonly string[], file: string): Promise<string | undefined> {
  let pending = file.split('/').filter(Boolean);
  let at: string[] = [];
  let here: string | undefined;
  for (let links = 0; pending.length; ) {
    const [name, ...rest] = pending as [string, ...string[]];
    pending = rest;
    if (name === '.') continue;
    if (name === '..') {
      at = at.slice(0, -1);
      continue;
    }
    const next = [...at, name];
    const hit = await topmost(layers, next);
    if (!hit) return undefined;
    here = hit.path;
    if (!hit.link) {
      at = next;
      continue;
    }
    if (++links > MAX_LINKS) return undefined;
    const target = await readlink(hit.path);
    if (target.startsWith('/')) at = [];
    pending = [...target.split('/').filter(Boolean), ...pending];
    here = undefined;
  }
  if (here === undefined && at.length) here = (await topmost(layers, at))?.path;
  if (here === undefined) return undefined;
  return (await lstat(here)).isFile() ? here : undefined;
}

/** The entry of the topmost layer that has it, whiteouts and files in the way respected. */
async function topmost(layers: readonly string[], parts: readonly string[]): Promise<{ path: string; link: boolean } | undefined> {
  for (const layer of layers) {
    let hidden = false;
    for (let depth = 1; depth <= parts.length; depth++) {
      const candidate = path.join(layer, ...parts.slice(0, depth));
      const stat = await lstat(candidate).catch(absent);
      if (!stat) break;
      if (depth === parts.length) {
        if (stat.isCharacterDevice() && stat.rdev === 0) return undefined;
        return { path: candidate, link: stat.isSymbolicLink() };
      }
      if (!stat.isDirectory()) {
        hidden = true;
        break;
      }
    }
    if (hidden) return undefined;
  }
  return undefined;
}

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
  throw error;
}
