import { isatty, WriteStream } from 'node:tty';

/** Whether what goes to a descriptor may be colored: on a terminal, unless NO_COLOR, TERM=dumb or the like say otherwise; FORCE_COLOR wins. */
export function hasColors(fd: 1 | 2): boolean {
  if (process.env.FORCE_COLOR === undefined && !isatty(fd)) return false;
  return WriteStream.prototype.getColorDepth.call({}, process.env) > 2;
}
