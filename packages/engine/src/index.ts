export type { Resources } from '@lamella/cgroup';
export type { SweepResult } from '@lamella/cleanup';
export { ImageStore } from '@lamella/image';
export {
  CommandError,
  type CommandProcess,
  type ContainerProcess,
  type ProcessOptions,
  type ProcessResult,
  type Streaming,
  type StreamingOf,
} from '@lamella/namespace';
export type { Applied, ApplyOptions, OnConflict } from './apply/apply.js';
export { recover } from './apply/recover.js';
export type { UndoOptions } from './apply/undo.js';
export type { Checkpoint } from './branches/states.js';
export { type ContainerProblem, checkContainers } from './check-containers.js';
export { type Container, createContainer, explainRun, type RunResult, run } from './container.js';
export type { Attached, Ending } from './containers/attach.js';
export type { ContainerChange } from './containers/changes.js';
export { Containers, type DetachedSpec, type TrySpec } from './containers/containers.js';
export type { Contents } from './containers/contents.js';
export type { ContainerEvent, EventOptions } from './containers/events.js';
export type { ExecOptions, ExecSpec } from './containers/exec.js';
export type { LogEntry, LogOptions } from './containers/logs.js';
export type { ProcessDetails } from './containers/processes.js';
export type { ContainerState, ContainerStatus } from './containers/state.js';
export type { StoredContainer } from './containers/stored-container.js';
export type { ContainerUsage } from './containers/usage.js';
export { defaultRoot } from './default-root.js';
export { EngineError } from './engine-error.js';
export { examine, type Finding } from './examine.js';
export { becomeContainer, explainBecome } from './front.js';
export { logBounds } from './log-bounds.js';
export type { AcceptOptions } from './model/accept-options.js';
export type { AgainSpec } from './model/again-spec.js';
export type { ContainerConfig } from './model/container-config.js';
export type { Device } from './model/device.js';
export type { IdMap, OwnIds } from './model/own-ids.js';
export type { PublishedPort } from './model/published-port.js';
export type { RunOptions } from './model/run-options.js';
export type { RestartPolicy, RunSpec } from './model/run-spec.js';
export type { UserNamespace } from './model/user-namespace.js';
export type { View } from './model/view.js';
export type { Volume } from './model/volume.js';
export type * from './named-types.js';
export type { PluginHook, PluginHooks } from './plugin-hooks.js';
export { type Pool, type PoolRunOptions, type PoolSpec, pool } from './pool.js';
export { sweep } from './sweep.js';
