export type { Resources } from '@lamella/cgroup';
export { type SweepResult, sweep } from '@lamella/cleanup';
export { ImageStore } from '@lamella/image';
export { type Container, createContainer, explainRun, type RunOptions, type RunResult, run } from './container.js';
export { defaultRoot } from './default-root.js';
export { EngineError } from './engine-error.js';
export { examine, type Finding } from './examine.js';
export type { Device, RunSpec, Volume } from './run-spec.js';
