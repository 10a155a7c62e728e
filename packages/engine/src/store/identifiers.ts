import { readFileSync } from 'node:fs';
import { EngineError } from '../model/engine-error.js';

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,63}$/;

/** @throws EngineError `NAME_INVALID` */
export function checkName(name: string): void {
  if (!NAME.test(name))
    throw new EngineError({
      code: 'NAME_INVALID',
      message: `'${name}' cannot be the name of a container`,
      hint: 'Letters, digits, _ . and -, at most 64, beginning with a letter or digit.',
    });
}

/** What the cgroup of a container is called, on a machine with any number of stores. */
export function cgroupName(id: string, root: string): string {
  // FNV-1a, which parts stores well enough: Node takes three milliseconds to load its better ones.
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(root)) hash = Math.imul(hash ^ byte, 0x01000193);
  return `${id}-${(hash >>> 0).toString(16).padStart(8, '0')}`;
}

/** 48 random bits: what comes before the version in a UUID, which the kernel makes (random(4)). */
export function randomId(): string {
  return readFileSync('/proc/sys/kernel/random/uuid', 'latin1').replace('-', '').slice(0, 12);
}
