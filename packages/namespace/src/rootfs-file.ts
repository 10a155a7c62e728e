import { lstatSync, readFileSync, readlinkSync, type Stats } from 'node:fs';
import path from 'node:path';
import { unfitForUpper, whiteoutFile } from '@lamella/syscall';

const MAX_LINKS = 40;

/**
 * Read a file as a process in the container would see it, before there is one: `layers` are
 * absolute host directories, the topmost first; links are followed inside of them only.
 *
 * A handful of calls on small files: done at once, for a trip to the thread pool takes longer than each.
 *
 * @returns undefined when there is no such file
 */
export function readRootfsFile(layers: readonly string[], file: string): string | undefined {
  const found = resolve(layers, file);
  return found === undefined ? undefined : readFileSync(found, 'utf8');
}

/** The host path of a file in a stack of layers. */
function resolve(layers: readonly string[], file: string): string | undefined {
  let pending = file.split('/').filter(Boolean);
  let at: string[] = [];
  let here: string | undefined;
  // There whiteouts are files.
  const files = layers[0] !== undefined && unfitForUpper(layers[0]) !== undefined;
  for (let links = 0; pending.length; ) {
    const [name, ...rest] = pending as [string, ...string[]];
    pending = rest;
    if (name === '.') continue;
    if (name === '..') {
      at = at.slice(0, -1);
      continue;
    }
    const next = [...at, name];
    const hit = topmost(layers, next, files);
    if (!hit) return undefined;
    here = hit.path;
    if (!hit.link) {
      at = next;
      continue;
    }
    if (++links > MAX_LINKS) return undefined;
    const target = readlinkSync(hit.path);
    if (target.startsWith('/')) at = [];
    pending = [...target.split('/').filter(Boolean), ...pending];
    here = undefined;
  }
  if (here === undefined && at.length) here = topmost(layers, at, files)?.path;
  if (here === undefined) return undefined;
  return lstatSync(here).isFile() ? here : undefined;
}

/** The entry of the topmost layer that has it, whiteouts and files in the way respected. */
function topmost(layers: readonly string[], parts: readonly string[], files: boolean): { path: string; link: boolean } | undefined {
  for (const layer of layers) {
    let hidden = false;
    for (let depth = 1; depth <= parts.length; depth++) {
      const candidate = path.join(layer, ...parts.slice(0, depth));
      const stat = statOf(candidate);
      if (!stat) {
        if (files && statOf(whiteoutFile(candidate))) return undefined;
        break;
      }
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

function statOf(file: string): Stats | undefined {
  try {
    return lstatSync(file);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}
