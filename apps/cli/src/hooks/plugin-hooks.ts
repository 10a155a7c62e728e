import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import type { PluginHooks } from '@lamella/engine';

/** Where oclif notes which plugins this user has installed. */
function userPlugins(): string {
  const data = process.env.LAMELLA_DATA_DIR || path.join(process.env.XDG_DATA_HOME || path.join(homedir(), '.local/share'), 'lamella-cli');
  return path.join(data, 'package.json');
}

/** Whether this user may have plugins that are to be told. */
export function hasPlugins(): boolean {
  return existsSync(userPlugins());
}

/**
 * Tell the plugins that this user has. Without any this is one look at a file.
 *
 * @throws what a hook throws
 */
export async function notifyPlugins<Event extends keyof PluginHooks>(event: Event, payload: PluginHooks[Event]): Promise<void> {
  if (!hasPlugins()) return;
  const { runPluginHooks } = await import('./run-plugin-hooks.js');
  await runPluginHooks(event, payload);
}
