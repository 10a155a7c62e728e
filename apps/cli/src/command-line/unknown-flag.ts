import { nearestName } from '@lamella/syscall';
import { helpHint, UsageError } from '../errors/usage-error.js';
import { dockerFlag } from './docker-flags.js';
import type { FlagTable } from './flag-table.js';

/**
 * Returns the error of an unknown flag, with the alternative for a flag of Docker, or with a flag of a similar name.
 *
 * @param cluster the word in which a letter was found
 */
export function unknownFlag(said: string, known: FlagTable, command: string, cluster: string = said): UsageError {
  const help = helpHint(command);
  const message = `unknown flag: ${said}${cluster === said || cluster.startsWith(`${said}=`) ? '' : ` in ${cluster}`}`;
  const instead = dockerFlag(command, said);
  if (instead !== undefined) return new UsageError(message, `${instead}\n${help}`);
  const names = Object.entries(known).flatMap(([name, { aliases = [], allowNo }]) => [name, ...aliases, ...(allowNo ? [`no-${name}`] : [])]);
  const meant = said.startsWith('--') ? nearestName(said.slice(2), names) : names.find((name) => cluster === `-${name}`);
  return new UsageError(message, meant === undefined ? help : `Did you mean --${meant}? ${help}`);
}
