import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ignoreMissing } from '@lamella/syscall';
import type { ContainerConfig } from '../../model/container-config.js';
import { EngineError } from '../../model/engine-error.js';
import type { RunSpec } from '../../model/run-spec.js';
import type { Source, Sources } from '../../model/source.js';
import { directoryAt, findSource } from './identify-source.js';

/** What of a spec leads to objects of the host. */
export type SourceSpec = Pick<RunSpec, 'volumes' | 'devices' | 'workspace' | 'host'>;

/** What a directory of a view of the host is called in messages. */
export const OF_VIEW = 'a directory in the view';

/** The paths of a spec that lead to objects of the host, and what each is for. */
export function sourcePaths({ volumes = [], devices = [], workspace, host }: SourceSpec): readonly (readonly [pathname: string, what: string])[] {
  return [
    ...volumes.map(({ source }) => [source, 'the source of a volume'] as const),
    ...devices.map(({ source }) => [source, 'a device'] as const),
    ...(workspace === undefined ? [] : [[workspace, 'the workspace'] as const]),
    ...(host?.overlays ?? []).filter((each) => !each.gone).map((each) => [each.path, OF_VIEW] as const),
  ];
}

/**
 * Looks at all that a spec leads to.
 *
 * @throws EngineError `VOLUME_INVALID`, `DEVICE_INVALID`, `WORKSPACE_INVALID` for what cannot be found
 */
export function recordSources(spec: SourceSpec, known: Sources = new Map()): Sources {
  const found = new Map<string, Source>();
  for (const [pathname, what] of sourcePaths(spec)) {
    if (found.has(pathname)) continue;
    const source = known.get(pathname) ?? find(pathname, what);
    if (source) found.set(pathname, source);
  }
  return found;
}

/** A directory of a view of the host may go, or become something else, at any moment, and then is not shown. */
function find(pathname: string, what: string): Source | undefined {
  if (what === OF_VIEW) return directoryAt(pathname);
  const code = what === 'a device' ? 'DEVICE_INVALID' : what === 'the workspace' ? 'WORKSPACE_INVALID' : 'VOLUME_INVALID';
  if (what === 'the workspace' && !existsSync(pathname))
    throw new EngineError({ code, message: `the workspace ${pathname} is not a directory`, hint: 'Make it, and put the tar of an image there.' });
  if (!path.isAbsolute(pathname))
    throw new EngineError({ code, message: `${what} '${pathname}' is not an absolute path`, hint: 'Write SRC:DST with absolute paths.' });
  try {
    const found = findSource(pathname);
    if (found) return found;
  } catch (error) {
    const missing = what === 'the source of a volume' && (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw new EngineError({
      code,
      message: missing ? `${what} ${pathname} does not exist` : `${what} ${pathname} cannot be used: ${(error as NodeJS.ErrnoException).code}`,
      hint: missing ? `Lamella makes nothing on the host by itself: mkdir -p ${pathname}` : 'It must exist; Lamella does not make it.',
      cause: error,
    });
  }
  throw new EngineError({
    code,
    message: `${what} ${pathname} cannot be used: no path without links leads to it`,
    hint: 'Links in /proc/PID lead to other namespaces, and to what has no name any more. Give the path of what is meant.',
  });
}

/** What was noted of sources since the container was made; see {@link noteSources}. */
const notedIn = (directory: string): string => path.join(directory, 'sources');

/** What a container was given, as it is written down. @param directory its own, absolute */
export function readSources(directory: string, { sources = {} }: Pick<ContainerConfig, 'sources'>): Sources {
  let noted: string | undefined;
  try {
    noted = readFileSync(notedIn(directory), 'utf8');
  } catch (error) {
    noted = ignoreMissing(error as NodeJS.ErrnoException);
  }
  return new Map(Object.entries({ ...sources, ...(noted === undefined ? {} : (JSON.parse(noted) as Record<string, Source>)) }));
}

/**
 * The same, of everything that its spec leads to: what an earlier version did not write down is as it is now, from now on.
 *
 * @throws EngineError as {@link recordSources}
 */
export function completeSources(directory: string, config: Pick<ContainerConfig, 'sources' | 'spec'>): Sources {
  const known = readSources(directory, config);
  if (sourcePaths(config.spec).every(([pathname]) => known.has(pathname))) return known;
  const complete = new Map([...known, ...recordSources(config.spec, known)]);
  if (complete.size > known.size) noteSources(directory, complete);
  return complete;
}

/**
 * Writes down what the sources of a container are from now on: after an apply that the user asked for put other objects in their place, and
 * for a container of an earlier version, which has no record.
 */
export function noteSources(directory: string, sources: Sources): void {
  const next = `${notedIn(directory)}.next`;
  writeFileSync(next, JSON.stringify(Object.fromEntries(sources)), { mode: 0o600, flush: true });
  renameSync(next, notedIn(directory));
}
