import { nearestName } from '@lamella/syscall';
import { UsageError } from '../errors/usage-error.js';
import { dockerFlag } from './docker-flags.js';
import type { FlagTable } from './flag-table.js';

/**
 * Returns what to say of a flag that a command does not have: what to do instead, where Docker has it; the one that was meant, where something
 * is really near.
 *
 * @param cluster the word that a letter was found in
 */
export function unknownFlag(said: string, known: FlagTable, command: string, cluster: string = said): UsageError {
  const help = `See 'lamella ${command} --help'.`;
  const message = `there is no flag ${said}${cluster === said || cluster.startsWith(`${said}=`) ? '' : ` (in ${cluster})`}`;
  const instead = dockerFlag(command, said);
  if (instead !== undefined) return new UsageError(message, `${instead} ${help}`);
  const names = Object.entries(known).flatMap(([name, { aliases = [], allowNo }]) => [name, ...aliases, ...(allowNo ? [`no-${name}`] : [])]);
  const meant = said.startsWith('--') ? nearestName(said.slice(2), names) : names.find((name) => cluster === `-${name}`);
  return new UsageError(message, meant === undefined ? help : `Did you mean --${meant}? ${help}`);
}
