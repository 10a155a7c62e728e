import type { Hook } from '@oclif/core/interfaces';
import { nearest } from '../nearest.js';
import { UsageError } from '../usage-error.js';

const hook: Hook<'command_not_found'> = async ({ id, config }) => {
  const ids = config.commands.filter((command) => !command.hidden).map((command) => command.id);
  const known = [...new Set(ids.flatMap((each) => [each.replaceAll(':', ' '), each.split(':')[0] ?? '']))];
  // oclif takes the arguments for more of the command's name.
  const [wanted = ''] = id.split(':');
  const meant = nearest(wanted, known);
  throw new UsageError(`there is no command '${wanted}'`, meant ? `Did you mean lamella ${meant}? See lamella --help.` : 'See lamella --help.');
};

// oclif loads hooks by their default export.
export { hook as default };
