import { type Stats, statSync } from 'node:fs';
import path from 'node:path';
import type { Mount } from '@lamella/namespace';
import { AT_FDCWD, idMapping, insideId, type Program } from '@lamella/syscall';
import { EngineError } from './engine-error.js';
import type { Volume } from './run-spec.js';

/** Whether a volume is a directory of the host's. @throws EngineError `VOLUME_INVALID` */
export function isVolumeDirectory({ source, destination, overlay, readonly }: Volume): boolean {
  const fail = (message: string, hint: string): never => {
    throw new EngineError({ code: 'VOLUME_INVALID', message, hint });
  };
  for (const each of [source, destination])
    if (!path.isAbsolute(each)) fail(`'${each}' in a volume is not an absolute path`, 'Write SRC:DST with absolute paths.');
  if (path.normalize(destination) === '/') fail('a volume cannot be mounted on /', 'Use a directory below it.');
  if (overlay && readonly) fail(`the volume ${source} is to be read-only and an overlay`, 'What cannot be written needs no overlay: choose one.');
  let directory = false;
  try {
    directory = statSync(source).isDirectory();
  } catch (error) {
    fail(`the volume's source ${source} cannot be used: ${(error as NodeJS.ErrnoException).code}`, 'It must exist; Lamella does not make it.');
  }
  if (overlay && !directory) fail(`the volume's source ${source} is not a directory`, 'An overlay lies on a directory: give the one that the file is in.');
  return directory;
}

/** A volume that reaches the host. @param directory whether it is one, see {@link isVolumeDirectory} @param userns slot of the container's own */
export function bind({ source, destination, readonly, idmap }: Volume, directory: boolean, userns: number | undefined): Mount {
  return {
    type: 'bind',
    source,
    destination,
    directory,
    ...(readonly ? { readonly: true } : {}),
    ...(idmap && userns !== undefined ? { idmap: userns } : {}),
  };
}

/** The top of a view is the top of its upper: it has to look like the directory that it stands for. */
export function likeSource(upperdir: string, source: string, { mode, uid, gid }: Pick<Stats, 'mode' | 'uid' | 'gid'> = statSync(source)): Program {
  const inside = (which: 'uids' | 'gids', id: number): number =>
    id === (which === 'uids' ? process.geteuid?.() : process.getegid?.()) ? 0 : insideId(idMapping(), which, id);
  const mapping = idMapping();
  const [owner, group] = mapping.kind === 'full' ? [inside('uids', uid), inside('gids', gid)] : [uid, gid];
  return [
    // Ids that are not mapped are nobody's.
    { op: 'fchownat', dirfd: AT_FDCWD, pathname: upperdir, owner, group, flags: 0, ignore: ['EPERM', 'EINVAL'] },
    { op: 'fchmodat', dirfd: AT_FDCWD, pathname: upperdir, mode: mode & 0o7777 },
  ];
}
