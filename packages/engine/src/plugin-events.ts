import type { DetachedSpec } from './containers/containers.js';
import type { RunSpec } from './run-spec.js';

/** What plugins of the command line are told, by the names of their hooks (`oclif.hooks` of their package.json). */
export interface PluginEvents {
  /** A container is about to be made. A hook that throws refuses that. */
  readonly before_create: { readonly spec: RunSpec | DetachedSpec };
  /** Its process runs. */
  readonly after_start: { readonly id: string };
  /** Its process has ended, and the command that waited for it is about to. */
  readonly after_exit: { readonly id: string; readonly exitCode: number | undefined; readonly signal: string | undefined };
}

/**
 * The default export of a hook's module. It is awaited; if it throws, the command ends with the status 125.
 *
 * @example const beforeCreate: PluginHook<'before_create'> = ({ spec }) => { … }; export default beforeCreate;
 */
export type PluginHook<Event extends keyof PluginEvents> = (event: PluginEvents[Event]) => void | Promise<void>;
