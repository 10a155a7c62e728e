import { constants } from 'node:os';

/** Second names of a number; the kernel's headers define the first by them, or the other way round. */
const ALIASES = new Set(['EWOULDBLOCK', 'ENOTSUP', 'EDEADLOCK']);
const NAMES = new Map(
  Object.entries(constants.errno)
    .filter(([name]) => !ALIASES.has(name))
    .map(([name, number]) => [number, name]),
);

/** `ENOENT` for 2; the number as text where it has no name here. */
export function errnoName(errno: number): string {
  return NAMES.get(errno) ?? `errno ${errno}`;
}

/** 2 for `ENOENT`. @throws TypeError for a name there is not */
export function errnoNumber(name: string): number {
  const errno = (constants.errno as Readonly<Record<string, number>>)[name];
  if (errno === undefined) throw new TypeError(`there is no errno '${name}'`);
  return errno;
}
