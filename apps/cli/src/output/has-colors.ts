import { isatty, WriteStream } from 'node:tty';

/** Whether output to a descriptor is colored: on a terminal without NO_COLOR and TERM=dumb, or with FORCE_COLOR. */
export function hasColors(fd: 1 | 2): boolean {
  if (process.env.FORCE_COLOR === undefined && !isatty(fd)) return false;
  return WriteStream.prototype.getColorDepth.call({}, process.env) > 2;
}
