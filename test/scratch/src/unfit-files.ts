import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** Something that may stand where a file is expected. */
export interface UnfitFile {
  readonly name: string;
  /** Replaces the file by it. */
  make(place: string): void;
}

/** What a link that leads out of everything shows, if it is followed. */
export const SECRET = 'secret-of-the-host';
const HUGE = 20 * 2 ** 30;

/**
 * What a container, an image or another user's directory may have where a file should be: each of them would keep
 * a reader from ending, fill its memory, or show it what is elsewhere.
 *
 * @param outside absolute path of a directory of the test, for the targets of links
 */
export function unfitFiles(outside: string): readonly UnfitFile[] {
  const secret = path.join(outside, SECRET);
  writeFileSync(secret, SECRET);
  const kinds: Readonly<Record<string, (place: string) => void>> = {
    'a FIFO': (place) => made('mkfifo', place),
    'a link to /dev/zero': (place) => symlinkSync('/dev/zero', place),
    'a link to a FIFO': (place) => {
      const fifo = path.join(outside, 'fifo');
      rmSync(fifo, { force: true });
      made('mkfifo', fifo);
      symlinkSync(fifo, place);
    },
    'a link out': (place) => symlinkSync(secret, place),
    'a link that climbs out': (place) => symlinkSync(path.relative(path.dirname(place), secret), place),
    'a loop of links': (place) => symlinkSync(path.basename(place), place),
    'a socket': (place) => {
      const script = `require('node:net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))`;
      spawnSync(process.execPath, ['-e', script, place]);
    },
    'a directory': (place) => mkdirSync(place),
    '20 GiB': (place) => {
      writeFileSync(place, '');
      truncateSync(place, HUGE);
    },
    'a file that nobody may read': (place) => {
      writeFileSync(place, 'x');
      chmodSync(place, 0);
    },
    nothing: () => undefined,
    // By root alone.
    ...(process.geteuid?.() === 0 ? { 'the device zero': (place: string): void => made('mknod', place, 'c', '1', '5') } : {}),
  };
  return Object.entries(kinds).map(([name, make]) => ({
    name,
    make(place) {
      rmSync(place, { recursive: true, force: true });
      make(place);
    },
  }));
}

function made(program: string, ...args: readonly string[]): void {
  const { status, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program}: ${stderr}`);
}
