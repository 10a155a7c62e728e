import path from 'node:path';
import type { PluginHooks } from '@lamella/engine';
import { LamellaError } from '@lamella/syscall';
import { Config } from '@oclif/core/config';

let loaded: Promise<Config> | undefined;

/** oclif finds the plugins, and loads the hooks that they have for an event. */
export async function runPluginHooks<Event extends keyof PluginHooks>(event: Event, payload: PluginHooks[Event]): Promise<void> {
  loaded ??= Config.load(path.join(import.meta.dirname, '../..')) as Promise<Config>;
  const config = await loaded;
  // oclif's types know its own events only.
  const { failures } = await config.runHook(event as never, payload as never);
  const [failure] = failures;
  if (failure)
    throw new LamellaError({
      code: 'PLUGIN_REFUSED',
      message: `the plugin ${failure.plugin.name} stopped this (${event}): ${failure.error.message}`,
      hint: `lamella plugins uninstall ${failure.plugin.name} takes it away.`,
      cause: failure.error,
    });
}
