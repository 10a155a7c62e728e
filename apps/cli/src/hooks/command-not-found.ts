import { nearestName } from '@lamella/syscall';
import type { Hook } from '@oclif/core/interfaces';
import { dockerCommand } from '../command-line/docker-commands.js';
import { UsageError } from '../errors/usage-error.js';

const hook: Hook<'command_not_found'> = async ({ id, config }) => {
  const ids = config.commands.filter((command) => !command.hidden).map((command) => command.id);
  const known = [...new Set(ids.flatMap((each) => [each.replaceAll(':', ' '), each.split(':')[0] ?? '']))];
  // oclif appends the arguments to the name of the command.
  const [wanted = ''] = id.split(':');
  const instead = dockerCommand(id.split(':'));
  const meant = instead === undefined ? nearestName(wanted, known) : undefined;
  const help = 'See lamella --help.';
  throw new UsageError(`unknown command: ${wanted}`, [instead ?? (meant && `Did you mean lamella ${meant}?`), help].filter(Boolean).join('\n'));
};

// oclif loads hooks by their default export.
export { hook as default };
