import { isDeepStrictEqual } from 'node:util';
import { SyscallError } from '@lamella/syscall';
import { surveyHost } from '../filesystem/host/survey-host.js';
import type { HostView } from '../model/host-view.js';
import type { RunOptions } from '../model/run-options.js';
import type { RunSpec } from '../model/run-spec.js';

/** How often a view of a machine is put together, if the machine changes each time. */
const MOST = 20;
/** The same, if no change of the machine can be seen: what failed then fails for another reason. */
const MOST_UNCHANGED = 3;

/** What the namespace package and the engine call a mount whose source or target is another than a moment ago. */
const CHANGED: ReadonlySet<string> = new Set([
  'BIND_SOURCE_MISSING',
  'MOUNT_TARGET_INVALID',
  'MOUNT_TARGET_MISSING',
  'OVERLAY_DIRECTORY_MISSING',
  'OVERLAY_LOCKED_MOUNTS',
  'VOLUME_INVALID',
  'VOLUME_MOVED',
]);
const ERRNOS: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR', 'EISDIR', 'EINVAL', 'ELOOP', 'ESTALE', 'ENXIO', 'EBUSY', 'EACCES', 'EPERM']);

/** Returns whether a start in a view of the host can have failed because the host changed between the look at it and the mounts. */
export function mayHaveChanged(error: unknown): boolean {
  // The call itself tells more than a code: the command's own failures have different codes.
  if (error instanceof SyscallError) return ERRNOS.has(error.code) && error.op.op !== 'execve';
  return CHANGED.has(String((error as { code?: unknown }).code));
}

/**
 * Returns whether a command can be started a second time with the same options. A stream of the caller has been read, or was ended, by the
 * first start.
 */
export function isRepeatable({ stdin, stdout, stderr, stdio, input }: RunOptions): boolean {
  const forms: readonly unknown[] = [stdin, stdout, stderr, stdio, input].flat(2);
  return forms.every((each) => typeof each !== 'object' || each === null || each instanceof Uint8Array || each instanceof URL || Object.hasOwn(each, 'file'));
}

/** Looks at a changing host again and again, for a command that is started until its view of the host holds. */
export class ChangingHost {
  readonly #spec: RunSpec;
  readonly #isSurveyedAtStart: boolean;
  #before: HostView | undefined;
  #starts = 1;
  #unchanged = 1;

  /** @param isSurveyedAtStart the container exists, and each of its starts looks at the host itself */
  constructor(spec: RunSpec, isSurveyedAtStart: boolean) {
    this.#spec = spec;
    this.#isSurveyedAtStart = isSurveyedAtStart;
    this.#before = isSurveyedAtStart ? undefined : spec.host && { ...spec.host, hidden: [] };
  }

  /** Returns what to start now; undefined if another start would fail as the last one did. */
  next(): RunSpec | undefined {
    const { host, cwd = '/', args = [], env = {} } = this.#spec;
    if (!host || this.#starts++ === MOST) return undefined;
    const now = surveyHost([], { cwd, args, env });
    if (isDeepStrictEqual(now, this.#before) && this.#unchanged++ === MOST_UNCHANGED) return undefined;
    this.#before = now;
    return this.#isSurveyedAtStart ? this.#spec : { ...this.#spec, host: { ...now, hidden: host.hidden } };
  }
}
