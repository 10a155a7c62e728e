import { type Stats, statSync } from 'node:fs';
import path from 'node:path';
import type { Mount } from '@lamella/namespace';
import { AT_FDCWD, idMapping, insideId, type Program } from '@lamella/syscall';
import { EngineError } from './engine-error.js';
import type { Volume } from './run-spec.js';
import { isDirectorySource } from './sources/check.js';
import type { Source } from './sources/source.js';

/** Whether a volume is a directory of the host's. @param given what its source is @throws EngineError `VOLUME_INVALID` */
export function isVolumeDirectory({ source, destination, overlay, readonly }: Volume, given: Source): boolean {
  const fail = (message: string, hint: string): never => {
    throw new EngineError({ code: 'VOLUME_INVALID', message, hint });
  };
  for (const each of [source, destination])
    if (!path.isAbsolute(each)) fail(`'${each}' in a volume is not an absolute path`, 'Write SRC:DST with absolute paths.');
  if (path.normalize(destination) === '/') fail('a volume cannot be mounted on /', 'Use a directory below it.');
  if (overlay && readonly) fail(`the volume ${source} is to be read-only and an overlay`, 'What cannot be written needs no overlay: choose one.');
  const directory = isDirectorySource(given);
  if (overlay && !directory) fail(`the volume's source ${source} is not a directory`, 'An overlay lies on a directory: give the one that the file is in.');
  return directory;
}

/** A volume that reaches the host. @param given what its source is @param userns slot of the container's own */
export function bind({ destination, readonly, idmap }: Volume, given: Source, userns: number | undefined): Mount {
  return {
    type: 'bind',
    source: given.path,
    expected: given.identity,
    destination,
    directory: isDirectorySource(given),
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
