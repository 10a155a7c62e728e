import { Command } from '@oclif/core/command';
import { requiredArgument } from '../command-line/arguments.js';
import { execMain } from '../run/exec-main.js';
import { EXEC_FLAGS } from '../run-flags/exec-flags.js';

export class Exec extends Command {
  static override summary = 'Execute a command in a running container';
  static override description = `The command runs in the namespaces and the cgroup of the container, with its seccomp filter and capabilities.

The exit status is that of the command, or 128+N if signal N ended it. It is 125 if Lamella failed, 126 if the command cannot be executed, and 127 if it is not found.`;
  static override usage = 'exec [OPTIONS] CONTAINER COMMAND [ARG…]';
  static override examples = [{ description: 'Start a shell:', command: '<%= config.bin %> exec -it web sh' }, '<%= config.bin %> exec -e A=b -w /tmp web env'];
  static override strict = false;
  static override flags = EXEC_FLAGS;
  static override args = { container: requiredArgument('Name or ID of the container'), command: requiredArgument('Command to execute') };

  /** Not by oclif, which would complain of that where NODE_ENV is that of a developer. */
  override parsed = true;

  async run(): Promise<void> {
    process.exitCode = await execMain(this.argv);
  }
}
