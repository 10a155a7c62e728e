import { Command } from '@oclif/core/command';
import { requiredArgument } from '../command-line/arguments.js';
import { execMain } from '../run/exec-main.js';
import { EXEC_FLAGS } from '../run-flags/exec-flags.js';

export class Exec extends Command {
  static override summary = 'Run another command in a container that runs.';
  static override description = `It is in the namespaces and the cgroup of the container, with its filter on system calls and its
capabilities, and sees nothing more than it.

The exit status is the command's own; 125 when Lamella failed, 126 when the command could not be
executed, 127 when it was not found, 128+N when signal N ended it.`;
  static override usage = 'exec [FLAGS] CONTAINER COMMAND [ARG…]';
  static override examples = [
    { description: 'A shell beside what runs:', command: '<%= config.bin %> exec -it web sh' },
    '<%= config.bin %> exec -e A=b -w /tmp web env',
  ];
  static override strict = false;
  static override flags = EXEC_FLAGS;
  static override args = { container: requiredArgument('its name, its id, or the beginning of it'), command: requiredArgument('the command') };

  /** Not by oclif, which would complain of that where NODE_ENV is that of a developer. */
  override parsed = true;

  async run(): Promise<void> {
    process.exitCode = await execMain(this.argv);
  }
}
