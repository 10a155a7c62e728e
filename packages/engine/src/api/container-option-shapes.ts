import { RESOURCES } from '@lamella/cgroup';
import type { CommitOptions } from '@lamella/image';
import { processOptionsShape } from '@lamella/namespace';
import { shapeOf, take } from '@lamella/syscall';
import type { ApplyOptions } from '../changes/apply/apply.js';
import type { ContainerChange } from '../changes/changes.js';
import type { ExecOptions, ExecSpec } from '../lifecycle/exec.js';
import type { LogOptions } from '../lifecycle/logs.js';
import type { StopOptions } from '../lifecycle/stop.js';
import type { AcceptOptions } from '../model/accept-options.js';
import type { RerunSpec } from '../model/rerun-spec.js';
import { CHANGED_ENVIRONMENT, ENVIRONMENT, NETWORK, TERMINAL, TYPED, WORDS } from '../options/option-shapes.js';

/** Seconds; more than setTimeout of Node takes would be none. */
const SECONDS: take.Check<number> = take.checkOf(
  'a number of seconds from 0 to 2147483, or -1 for ever',
  (value) => Number.isFinite(value) && (value === -1 || ((value as number) >= 0 && (value as number) <= 2_147_483)),
);

export const STOP_OPTIONS: take.Check<StopOptions> = shapeOf<StopOptions>(() => ({ signal: take.text, timeout: SECONDS }));
export const RESTART_OPTIONS: take.Check<StopOptions & AcceptOptions> = shapeOf<StopOptions & AcceptOptions>(() => ({
  signal: take.text,
  timeout: SECONDS,
  acceptSources: WORDS,
}));
export const START_OPTIONS: take.Check<AcceptOptions & { readonly attach?: boolean }> = shapeOf<AcceptOptions & { readonly attach?: boolean }>(() => ({
  attach: take.flag,
  acceptSources: WORDS,
}));
export const WAIT_OPTIONS: take.Check<{ readonly signal?: AbortSignal }> = shapeOf<{ readonly signal?: AbortSignal }>(() => ({ signal: take.abortSignal }));
export const REMOVE_OPTIONS: take.Check<{ readonly force?: boolean }> = shapeOf<{ readonly force?: boolean }>(() => ({ force: take.flag }));
export const COPY_IN_OPTIONS: take.Check<{ readonly keepOwners?: boolean }> = shapeOf<{ readonly keepOwners?: boolean }>(() => ({ keepOwners: take.flag }));
export const CONTENTS_OPTIONS: take.Check<{ readonly limit?: number }> = shapeOf<{ readonly limit?: number }>(() => ({ limit: take.whole(0) }));
export const LOG_OPTIONS: take.Check<LogOptions> = shapeOf<LogOptions>(() => ({
  follow: take.flag,
  since: take.moment,
  until: take.moment,
  tail: take.whole(0),
  signal: take.abortSignal,
}));
export const EXEC_SPEC: take.Check<ExecSpec> = shapeOf<ExecSpec>(() => ({
  args: take.required(WORDS),
  env: ENVIRONMENT,
  cwd: take.text,
  user: take.text,
  privileged: take.flag,
  terminal: TERMINAL,
  input: TYPED,
  detached: take.flag,
}));
export const EXEC_OPTIONS: take.Check<ExecOptions> = shapeOf<ExecOptions>(() => {
  const { onStopped, ...shape } = processOptionsShape;
  return shape;
});
export const RERUN_SPEC: take.Check<RerunSpec> = shapeOf<RerunSpec>(() => ({
  args: take.required(WORDS),
  env: CHANGED_ENVIRONMENT,
  acceptSources: WORDS,
  cwd: take.text,
  user: take.text,
  network: NETWORK,
  terminal: TERMINAL,
  input: TYPED,
  detachKeys: take.text,
  resources: RESOURCES,
  init: take.flag,
  job: take.flag,
}));
export const APPLY_OPTIONS: take.Check<ApplyOptions> = shapeOf<ApplyOptions>(() => ({
  // What it may be, and what is meant by each, says apply: APPLY_INVALID.
  onConflict: take.text as unknown as take.Check<NonNullable<ApplyOptions['onConflict']>>,
  select: take.functionOf<(change: ContainerChange) => boolean>(),
  onSelected: take.functionOf<(seen: number) => void>(),
  dryRun: take.flag,
}));
export const COMMIT_OPTIONS: take.Check<CommitOptions & { readonly pause?: boolean }> = shapeOf<CommitOptions & { readonly pause?: boolean }>(() => ({
  pause: take.flag,
  author: take.text,
  message: take.text,
  changes: WORDS,
  createdBy: take.text,
  timestamp: take.whole(-(2 ** 53 - 1)),
  signal: take.abortSignal,
}));
/** What {@link StoredContainer.fork} makes: so many, or one of each name. */
export const FORKS: take.Check<number | readonly string[]> = take.either(take.whole(0, 10_000), take.listOf(take.text));
