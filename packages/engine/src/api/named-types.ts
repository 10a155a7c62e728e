/**
 * Types that signatures of this package mention. A project that depends on the engine alone cannot name those of other
 * packages in its own declarations (TS2742): pnpm hides them. test/e2e's packed-types.test.ts finds what is missing.
 */
export type * from '@lamella/image';
export type * from '@lamella/namespace';
export type { SeccompProfile } from '@lamella/seccomp';
export type { FrontOptions } from '@lamella/syscall';
export type { PathState } from '../lifecycle/files/copy.js';
export type { StopOptions } from '../lifecycle/stop.js';
export type { HostView } from '../model/host-view.js';
export type { Lowers } from '../model/lowers.js';
export type { Source } from '../model/source.js';
export type { CheckedMount } from '../model/writable-mount.js';
