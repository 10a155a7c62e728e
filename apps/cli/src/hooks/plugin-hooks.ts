import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import type { PluginHooks } from '@lamella/engine';

/** Returns the file in which oclif lists the installed plugins. */
function userPlugins(): string {
  const data = process.env.LAMELLA_DATA_DIR || path.join(process.env.XDG_DATA_HOME || path.join(homedir(), '.local/share'), 'lamella-cli');
  return path.join(data, 'package.json');
}

/** Whether this user may have plugins. */
export function hasPlugins(): boolean {
  return existsSync(userPlugins());
}

/**
 * Runs the hooks of the installed plugins for an event. Without plugins this costs one stat(2).
 *
 * @throws CliError `PLUGIN_REFUSED` if a hook throws
 */
export async function notifyPlugins<Event extends keyof PluginHooks>(event: Event, payload: PluginHooks[Event]): Promise<void> {
  if (!hasPlugins()) return;
  const { runPluginHooks } = await import('./run-plugin-hooks.js');
  await runPluginHooks(event, payload);
}
