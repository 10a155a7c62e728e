import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  lchownSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';

/** What can happen to an object on a disk. */
export interface Damage {
  readonly name: string;
  /** @returns false when it does not apply to such an object, and nothing was done */
  readonly do: (file: string, owner: number) => boolean;
}

const isFile = (file: string): boolean => lstatSync(file).isFile();
const size = (file: string): number => (isFile(file) ? lstatSync(file).size : 0);

function replaced(name: string, make: (file: string) => void): Damage {
  return {
    name,
    do(file, owner) {
      rmSync(file, { recursive: true });
      make(file);
      lchownSync(file, owner, owner);
      return true;
    },
  };
}

/** Damages of any object of a store. */
export const DAMAGES: readonly Damage[] = [
  {
    name: 'deleted',
    do(file) {
      rmSync(file, { recursive: true });
      return true;
    },
  },
  {
    name: 'emptied',
    do(file) {
      if (!size(file)) return false;
      truncateSync(file, 0);
      return true;
    },
  },
  {
    name: 'truncated',
    do(file) {
      if (size(file) < 2) return false;
      truncateSync(file, Math.floor(size(file) / 2));
      return true;
    },
  },
  {
    name: 'a flipped bit',
    do(file) {
      if (!size(file)) return false;
      const at = Math.floor(size(file) / 2);
      const byte = readFileSync(file)[at] ?? 0;
      const fd = openSync(file, 'r+');
      writeSync(fd, Buffer.from([byte ^ 1]), 0, 1, at);
      closeSync(fd);
      return true;
    },
  },
  replaced('a directory in its place', (file) => mkdirSync(file, { mode: 0o700 })),
  replaced('a link in its place', (file) => symlinkSync('/etc/hostname', file)),
  replaced('a FIFO in its place', (file) => void execFileSync('mkfifo', [file])),
  replaced('an empty file in its place', (file) => writeFileSync(file, '')),
];

/** Damages of what a layer has: all that is unpacked is compared. */
export const TREE_DAMAGES: readonly Damage[] = [
  {
    name: 'another mode',
    do(file) {
      if (lstatSync(file).isSymbolicLink()) return false;
      chmodSync(file, (lstatSync(file).mode & 0o7777) ^ 0o020);
      return true;
    },
  },
  {
    name: 'another owner',
    do(file) {
      lchownSync(file, 12345, lstatSync(file).gid);
      return true;
    },
  },
  {
    name: 'another attribute',
    do(file) {
      if (!isFile(file) && !lstatSync(file).isDirectory()) return false;
      execFileSync('setfattr', ['-n', 'user.damage', '-v', 'x', file]);
      return true;
    },
  },
  {
    name: 'another time',
    do(file) {
      // Those of directories that no layer lists are nobody's.
      if (!isFile(file)) return false;
      lutimesSync(file, new Date(1), new Date(1));
      return true;
    },
  },
  {
    name: 'another target',
    do(file) {
      if (!lstatSync(file).isSymbolicLink()) return false;
      const target = readlinkSync(file);
      rmSync(file);
      symlinkSync(`${target}x`, file);
      return true;
    },
  },
  {
    name: 'something more in it',
    do(file) {
      if (!lstatSync(file).isDirectory()) return false;
      writeFileSync(`${file}/more`, '');
      return true;
    },
  },
];
