import { EngineError } from '../../model/engine-error.js';
import type { Source, Sources } from '../../model/source.js';
import { linkIn, lookAt } from './identify-source.js';
import { OF_VIEW, type SourceSpec, sourcePaths } from './record-sources.js';

/** The container whose user accepts other objects as its sources. */
export interface Accepting {
  readonly spec: SourceSpec;
  /** What the container is called in messages. */
  readonly container: string;
  /** Recorded paths of overlays in which the container has changed something. */
  readonly changed: ReadonlySet<string>;
}

/**
 * Returns what a container is given from now on, if its user accepts what is at some paths now. A link is never accepted, because a
 * container that can write to the directory above could have made it. An overlay with changes is not accepted either: its changes were
 * made to the directory that was there.
 *
 * @param paths as the volumes were asked for, or as messages name them
 * @throws EngineError `VOLUME_INVALID`
 */
export function acceptSources(recorded: Sources, paths: readonly string[], { spec, container, changed }: Accepting): Sources {
  const next = new Map(recorded);
  const given = sourcePaths(spec).filter(([, what]) => what !== OF_VIEW);
  for (const accepted of paths) {
    const found = given.flatMap(([pathname]) => {
      const was = recorded.get(pathname);
      return was && (pathname === accepted || was.path === accepted) ? [[pathname, was] as const] : [];
    });
    if (!found.length)
      throw refused(
        `${accepted} is no source of the container ${container}`,
        given.length ? `It has: ${given.map(([pathname]) => pathname).join(', ')}` : 'It was given nothing of the host.',
      );
    for (const [pathname, was] of found) {
      if (changed.has(was.path))
        throw refused(
          `what is at ${was.path} now cannot be accepted: the container ${container} has changes to the directory that was there`,
          `Put that directory back; or throw the container away with its changes: lamella rm ${container}`,
        );
      next.set(pathname, acceptable(was, container));
    }
  }
  return next;
}

function acceptable(was: Source, container: string): Source {
  const hint = `Put back what was there; or make a new container, with the path that is meant, and remove this one: lamella rm ${container}`;
  const link = linkIn(was.path);
  if (link) throw refused(`what is at ${was.path} now cannot be accepted: ${link.at} is a symbolic link to ${link.target}`, hint);
  let is: Source;
  try {
    is = lookAt(was.path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    throw refused(`what is at ${was.path} now cannot be accepted: ${code === 'ENOENT' ? 'nothing is there' : code}`, hint);
  }
  if (is.identity.type !== was.identity.type) throw refused(`what is at ${was.path} now cannot be accepted: it is not the same kind of file`, hint);
  return is;
}

function refused(message: string, hint: string): EngineError {
  return new EngineError({ code: 'VOLUME_INVALID', message, hint });
}
