export { CgroupError, type Resources } from '@lamella/cgroup';
export { CleanupError, type SweepResult } from '@lamella/cleanup';
export { ImageError, ImageStore } from '@lamella/image';
export {
  CommandError,
  type CommandProcess,
  type ContainerProcess,
  NamespaceError,
  type ProcessEnd,
  type ProcessOptions,
  type ProcessResult,
  type Streaming,
  type StreamingOf,
} from '@lamella/namespace';
export { OverlayError } from '@lamella/overlay';
export { SeccompError } from '@lamella/seccomp';
export { LamellaError, ProgramError, SyscallError } from '@lamella/syscall';
export { Containers, type DetachedSpec, type TrySpec } from './api/containers.js';
export { becomeContainer, type DetachedFrontOptions, type ExecFrontOptions, explainBecome } from './api/front.js';
export type * from './api/named-types.js';
export type { PluginHook, PluginHooks } from './api/plugin-hooks.js';
export { type Pool, type PoolRunOptions, type PoolSpec, pool } from './api/pool.js';
export type { RecordOptions } from './api/record-front.js';
export type { StoredContainer } from './api/stored-container.js';
export { sweep } from './api/sweep.js';
export type { Applied, ApplyOptions, OnConflict } from './changes/apply/apply.js';
export { recover } from './changes/apply/recover.js';
export type { UndoOptions } from './changes/apply/undo.js';
export type { ContainerChange } from './changes/changes.js';
export type { Contents } from './changes/contents.js';
export type { History } from './checkpoints/container-checkpoints.js';
export type { Checkpoint } from './checkpoints/states.js';
export { type ContainerProblem, checkContainers } from './doctor/check-containers.js';
export { examine } from './doctor/examine.js';
export type { Finding } from './doctor/finding.js';
export type { Attached } from './lifecycle/attach.js';
export type { ExecOptions, ExecSpec } from './lifecycle/exec.js';
export type { LogEntry, LogOptions } from './lifecycle/logs.js';
export type { ProcessDetails } from './lifecycle/processes.js';
export type { ContainerState, ContainerStatus } from './lifecycle/state.js';
export type { ContainerUsage } from './lifecycle/usage.js';
export type { AcceptOptions } from './model/accept-options.js';
export type { ContainerConfig } from './model/container-config.js';
export type { IdMap, OwnIds } from './model/container-ids.js';
export type { Device } from './model/device.js';
export { EngineError } from './model/engine-error.js';
export { ENGINE_ERROR_CODES, type EngineErrorCode } from './model/error-codes.js';
export type { PublishedPort } from './model/published-port.js';
export type { RerunSpec } from './model/rerun-spec.js';
export type { RunOptions } from './model/run-options.js';
export type { RestartPolicy, RunSpec } from './model/run-spec.js';
export type { UserNamespace } from './model/user-namespace.js';
export type { Volume } from './model/volume.js';
export type { WritableMount } from './model/writable-mount.js';
export { logBounds } from './run/plan/log-bounds.js';
export { createContainer, explainRun, run } from './run/run.js';
export type { Container, RunResult } from './run/start.js';
export { defaultRoot } from './store/default-root.js';
export type { ContainerEvent, EventOptions } from './store/events.js';
