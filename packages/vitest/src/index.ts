export type * from '@lamella/engine';
export { type ContainerTestOptions, containerTest, type TestContainer } from './container-test.js';
export type { Readiness } from './service.js';
