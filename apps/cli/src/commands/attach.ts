import { boolean, string } from '@oclif/core/flags';
import { ContainerCommand } from '../command-classes/container-command.js';
import { requiredArgument } from '../command-line/arguments.js';
import { OUR_FAILURE } from '../output/exit-status.js';
import { attachSession } from '../terminal/attached-session.js';
import { DEFAULT_DETACH_KEYS, parseDetachKeys, printDetached } from '../terminal/detach-keys.js';
import { requireTty } from '../terminal/require-tty.js';

export class Attach extends ContainerCommand {
  static override summary = 'Come to the terminal, or the stdin and output, of a container that runs.';
  static override description = 'Several may be there at once. The keys leave it running; without a terminal ctrl-c is passed on.';
  static override examples = ['<%= config.bin %> attach web'];
  static override args = { container: requiredArgument('its name, its id, or the beginning of it') };
  static override flags = {
    stdin: boolean({ default: true, allowNo: true, description: "pass this process's stdin on" }),
    'sig-proxy': boolean({ default: true, allowNo: true, description: 'pass signals on' }),
    'detach-keys': string({ helpValue: 'KEYS', default: DEFAULT_DETACH_KEYS, description: 'what to type to leave it running' }),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Attach);
    const keys = parseDetachKeys(flags['detach-keys']);
    const container = await this.containersOf(flags).get(args.container);
    const { terminal, input } = container.config.spec;
    if (flags.stdin && terminal && input?.forward) requireTty(`Leave its input out to see what it writes only: lamella attach --no-stdin ${args.container}`);
    const attached = await container.attach();
    const ending = await attachSession(attached, {
      terminal: terminal !== undefined,
      input: flags.stdin && (input?.forward ?? false),
      signals: flags['sig-proxy'],
      keys,
    });
    if (ending === 'left') printDetached(args.container);
    process.exitCode = ending === 'left' ? 0 : (ending?.status ?? OUR_FAILURE);
  }
}
