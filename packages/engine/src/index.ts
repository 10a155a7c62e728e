export { type SweepResult, sweep } from '@lamella/cleanup';
export { ImageStore } from '@lamella/image';
export { type Container, createContainer, explainRun, run, type RunOptions, type RunResult } from './container.js';
export { defaultRoot } from './default-root.js';
export { EngineError } from './engine-error.js';
export type { RunSpec, Volume } from './run-spec.js';
