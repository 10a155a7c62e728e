import path from 'node:path';
import type { PluginHooks } from '@lamella/engine';
import { Config } from '@oclif/core/config';
import { CliError } from '../errors/cli-error.js';

let loaded: Promise<Config> | undefined;

/** Runs the hooks of plugins for an event. oclif finds and loads them. @throws CliError `PLUGIN_REFUSED` */
export async function runPluginHooks<Event extends keyof PluginHooks>(event: Event, payload: PluginHooks[Event]): Promise<void> {
  loaded ??= Config.load(path.join(import.meta.dirname, '../..')) as Promise<Config>;
  const config = await loaded;
  // oclif's types have its own events only.
  const { failures } = await config.runHook(event as never, payload as never);
  const [failure] = failures;
  if (failure)
    throw new CliError({
      code: 'PLUGIN_REFUSED',
      message: `the plugin ${failure.plugin.name} refused ${event}: ${failure.error.message}`,
      hint: `Remove the plugin: lamella plugins uninstall ${failure.plugin.name}`,
      cause: failure.error,
    });
}
