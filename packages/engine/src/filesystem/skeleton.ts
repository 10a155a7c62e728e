import { chmodSync, existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { makeDirectory } from '@lamella/image';

const DIRECTORIES = ['dev', 'proc', 'sys', 'etc'];
const FILES = ['etc/hosts', 'etc/hostname', 'etc/resolv.conf'];

/**
 * A layer that lies under every image and holds nothing but the places where something is mounted.
 * Thanks to it an image without them works, and the upper shows only what the command did.
 *
 * @returns absolute path of its tree, which is made when missing
 */
export function skeleton(root: string): string {
  const tree = path.join(root, 'skeleton');
  if (existsSync(path.join(tree, FILES.at(-1) ?? ''))) return tree;
  makeDirectory(tree, 0o755);
  for (const name of DIRECTORIES) makeDirectory(path.join(tree, name), 0o755);
  for (const name of FILES) writeFileSync(path.join(tree, name), '', { flag: 'a', mode: 0o644 });
  // Whatever the umask made of it: where the image has no such directory, this one is seen inside.
  for (const name of DIRECTORIES) chmodSync(path.join(tree, name), 0o755);
  return tree;
}
