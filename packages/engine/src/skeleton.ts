import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

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
  for (const name of DIRECTORIES) mkdirSync(path.join(tree, name), { recursive: true, mode: 0o755 });
  for (const name of FILES) writeFileSync(path.join(tree, name), '', { flag: 'a', mode: 0o644 });
  return tree;
}
