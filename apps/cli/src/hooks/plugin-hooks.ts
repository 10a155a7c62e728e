import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import type { DetachedSpec, RunSpec } from '@lamella/engine';

/** What plugins are told, by the names of their hooks (`oclif.hooks` of their package.json). */
export interface PluginEvents {
  /** A container is about to be made. Who throws refuses that. */
  readonly before_create: { readonly spec: RunSpec | DetachedSpec };
  /** Its process runs. */
  readonly after_start: { readonly id: string };
  /** Its process has ended, and the command that waited for it is about to. */
  readonly after_exit: { readonly id: string; readonly exitCode: number | undefined; readonly signal: string | undefined };
}

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
export async function tellPlugins<Event extends keyof PluginEvents>(event: Event, payload: PluginEvents[Event]): Promise<void> {
  if (!hasPlugins()) return;
  const { runPluginHooks } = await import('./run-plugin-hooks.js');
  await runPluginHooks(event, payload);
}
