import { homedir } from 'node:os';
import path from 'node:path';

/** `$LAMELLA_ROOT`, else `/var/lib/lamella` for root and `$XDG_DATA_HOME/lamella` for others. */
export function defaultRoot(): string {
  const { LAMELLA_ROOT, XDG_DATA_HOME } = process.env;
  if (LAMELLA_ROOT) return path.resolve(LAMELLA_ROOT);
  if (process.geteuid?.() === 0) return '/var/lib/lamella';
  const data = XDG_DATA_HOME && path.isAbsolute(XDG_DATA_HOME) ? XDG_DATA_HOME : path.join(homedir(), '.local/share');
  return path.join(data, 'lamella');
}
