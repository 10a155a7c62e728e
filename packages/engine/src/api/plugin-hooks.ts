import type { RunSpec } from '../model/run-spec.js';
import type { DetachedSpec } from './containers.js';

/** What plugins of the command line receive, by the names of their hooks (`oclif.hooks` of their package.json). */
export interface PluginHooks {
  /** A container is about to be made. A hook that throws refuses that. */
  readonly before_create: { readonly spec: RunSpec | DetachedSpec };
  /** Its process runs. */
  readonly after_start: { readonly id: string };
  /** Its process has ended, and the command that waited for it is about to. */
  readonly after_exit: { readonly id: string; readonly exitCode: number | undefined; readonly signal: string | undefined };
}

/**
 * A hook of a plugin: the default export of the module that its package.json names.
 *
 * @example
 * const afterExit: PluginHook<'after_exit'> = async ({ id, exitCode }) => console.error(id, exitCode);
 * export default afterExit;
 */
export type PluginHook<Name extends keyof PluginHooks> = (told: PluginHooks[Name]) => void | Promise<void>;
