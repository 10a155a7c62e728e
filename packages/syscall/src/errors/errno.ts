import { constants } from 'node:os';

/** The name of an error of a system call: `ENOENT`. A number without a name is `errno 524`. */
export type ErrnoCode = keyof typeof constants.errno | keyof typeof UNLISTED | `errno ${number}`;

/** Second names of a number; the kernel's headers define the first by them, or the other way round. */
const ALIASES = new Set(['EWOULDBLOCK', 'ENOTSUP', 'EDEADLOCK']);
/** Node does not list this number, which clone(2) and unshare(2) return where there are too many user namespaces. */
const UNLISTED = { EUSERS: 87 } as const;
/** Reading an export of `node:os` by name costs a microsecond, and a program ignores hundreds of errors: they are read once. */
const NUMBERS = new Map<string, number>(Object.entries({ ...constants.errno, ...UNLISTED }));
const NAMES = new Map([...NUMBERS].filter(([name]) => !ALIASES.has(name)).map(([name, number]) => [number, name]));

/** Returns the name of an error: `ENOENT` for 2. A number without a name is returned as text. */
export function errnoName(errno: number): ErrnoCode {
  return (NAMES.get(errno) as ErrnoCode | undefined) ?? `errno ${errno}`;
}

/** Returns the number of an error: 2 for `ENOENT`. @throws TypeError for an unknown name */
export function errnoNumber(name: string): number {
  const errno = NUMBERS.get(name);
  if (errno === undefined) throw new TypeError(`there is no errno '${name}'`);
  return errno;
}
