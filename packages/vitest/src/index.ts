export { type ContainerTestOptions, containerTest, type TestContainer } from './container-test.js';
