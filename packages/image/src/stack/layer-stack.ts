import { type BigIntStats, lstatSync, readlinkSync } from 'node:fs';
import path from 'node:path';
import { whiteoutFile } from '@lamella/syscall';
import { ImageError } from '../model/image-error.js';
import type { LayerMeta } from '../store/layer-meta.js';
import type { LayerDir } from './image.js';

/** A layer with what its unpacking noted. */
export type NotedLayer = LayerDir & { readonly meta: LayerMeta };

/**
 * What one layer has by a name. Links on the way are not followed: they would lead into the host.
 *
 * @param name relative, without `.` and `..`
 */
export function statOf(layer: LayerDir, name: string): BigIntStats | undefined {
  let at = layer.path;
  let stat: BigIntStats | undefined;
  for (const part of name.split('/')) {
    if (stat && !stat.isDirectory()) return undefined;
    at = `${at}/${part}`;
    stat = lookAt(at);
    if (!stat) return undefined;
  }
  return stat;
}

/** A directory of another id of this user's may be closed to the user itself: then nothing is known of what is in it. */
function lookAt(file: string): BigIntStats | undefined {
  try {
    return lstatSync(file, { throwIfNoEntry: false, bigint: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EACCES') return undefined;
    throw error;
  }
}

/** Whether something on the way to a name hides what the layers below have there. */
export function hides(layer: NotedLayer, name: string): boolean {
  const parts = name.split('/');
  for (let i = 1; i < parts.length; i++) {
    const parent = parts.slice(0, i).join('/');
    const stat = statOf(layer, parent);
    if (!stat) return isHidden(layer, parent);
    if (!stat.isDirectory() || isOpaque(layer, parent)) return true;
  }
  return false;
}

/** An opaque directory was listed with its whiteout; the writer notes those among what it implied. */
export function isOpaque(layer: NotedLayer, name: string): boolean {
  return layer.meta.opaque?.includes(name) ?? false;
}

/** What a stack shows by a name; layers are the topmost first. */
export function shown(layers: readonly NotedLayer[], name: string): { readonly stat: BigIntStats; readonly file: string } | undefined {
  for (const layer of layers) {
    const stat = statOf(layer, name);
    if (stat) return stat.isCharacterDevice() && stat.rdev === 0n ? undefined : { stat, file: path.join(layer.path, name) };
    if (isHidden(layer, name) || hides(layer, name)) return undefined;
  }
  return undefined;
}

/** Whether a file of the layer says that there is nothing by this name. One that is a device is what the layer has by it. */
function isHidden(layer: NotedLayer, name: string): boolean {
  if (layer.meta.marks !== 'files') return false;
  return statOf(layer, whiteoutFile(name)) !== undefined;
}

/** As many links as the kernel follows in one path (path_resolution(7)). */
const MAX_LINKS = 40;

/** The way of a name through a stack. */
export interface Way {
  /** Where it leads, links followed; the last part may not exist. */
  readonly to: string;
  /** The links on it: name, and file on the host. */
  readonly links: ReadonlyMap<string, string>;
  /** The directories behind the first link; they may not exist. */
  readonly directories: ReadonlySet<string>;
}

/**
 * Follows a name through a stack as if it were mounted and the root.
 *
 * @throws ImageError `LAYER_ENTRY_FAILED` when links lead in a circle
 */
export function follow(layers: readonly NotedLayer[], name: string): Way {
  const links = new Map<string, string>();
  const directories = new Set<string>();
  const pending = name.split('/');
  const real: string[] = [];
  let followed = 0;
  for (let part = pending.shift(); part !== undefined; part = pending.shift()) {
    if (part === '' || part === '.') continue;
    if (part === '..') {
      real.pop();
      continue;
    }
    real.push(part);
    const at = real.join('/');
    const found = shown(layers, at);
    if (found?.stat.isSymbolicLink()) {
      if (++followed > MAX_LINKS)
        throw new ImageError({
          code: 'LAYER_ENTRY_FAILED',
          message: `'${name}' cannot be unpacked: links on its path lead in a circle (ELOOP)`,
          hint: 'Nothing of the image was kept.',
        });
      links.set(at, found.file);
      const target = readlinkSync(found.file);
      if (target.startsWith('/')) real.length = 0;
      else real.pop();
      pending.unshift(...target.split('/'));
    } else if (followed && (!found || found.stat.isDirectory())) directories.add(at);
  }
  return { to: real.join('/'), links, directories };
}
