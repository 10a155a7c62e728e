export type * from '@lamella/engine';
export { type ContainerTestOptions, containerTest, type TestContainer } from './container-test.js';
export { SERVICE_ERROR_CODES, type ServiceErrorCode } from './error-codes.js';
export type { Readiness } from './service.js';
export { ServiceError } from './service-error.js';
