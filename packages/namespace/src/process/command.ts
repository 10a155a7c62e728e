import type { Op, Program } from '@lamella/syscall';
import { NamespaceError } from '../model/namespace-error.js';

/** The PATH for commands without one, as Docker has it (execvp(3)). */
export const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** The ops that execute a command: one per place where it may be. All have the same two lists, which are sent once. */
export function execute(args: readonly string[], env: Readonly<Record<string, string>>): Program {
  const [command] = args;
  if (!command) throw new NamespaceError({ code: 'COMMAND_MISSING', message: 'no command to run', hint: 'Name one; the image has no default.' });
  const envp = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const exec = (pathname: string): Op => ({ op: 'execve', pathname, argv: args, envp });
  if (command.includes('/')) return [exec(command)];
  const places = (env.PATH || DEFAULT_PATH).split(':').map((place) => place || '.');
  return places.map((place, i) => ({
    ...exec(`${place.replace(/\/+$/, '')}/${command}`),
    ...(i < places.length - 1 ? { ignore: ['ENOENT', 'ENOTDIR', 'EACCES'] } : {}),
  }));
}
