import { boolean, string } from '@oclif/core/flags';
import { ContainerCommand } from '../command-classes/container-command.js';
import { requiredArgument } from '../command-line/arguments.js';
import { knownStatusOf, OUR_FAILURE } from '../output/exit-status.js';
import { attachSession } from '../terminal/attached-session.js';
import { DEFAULT_DETACH_KEYS, parseDetachKeys, printDetached } from '../terminal/detach-keys.js';
import { requireTty } from '../terminal/require-tty.js';

export class Attach extends ContainerCommand {
  static override summary = 'Attach to a running container';
  static override description =
    'Several clients may be attached at once. The detach keys leave the container running. Without a TTY, ctrl-c is forwarded to it.';
  static override examples = ['<%= config.bin %> attach web'];
  static override args = { container: requiredArgument('Name or ID of the container') };
  static override flags = {
    stdin: boolean({ default: true, allowNo: true, description: 'Attach STDIN' }),
    'sig-proxy': boolean({ default: true, allowNo: true, description: 'Proxy all received signals to the process' }),
    'detach-keys': string({ helpValue: 'KEYS', default: DEFAULT_DETACH_KEYS, description: 'Override the key sequence for detaching a container' }),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Attach);
    const keys = parseDetachKeys(flags['detach-keys']);
    const container = await this.containersOf(flags).get(args.container);
    const { terminal, input } = container.config.spec;
    if (flags.stdin && terminal && input?.forward) requireTty(`To attach without STDIN: lamella attach --no-stdin ${args.container}`);
    const attached = await container.attach();
    const ending = await attachSession(attached, {
      terminal: terminal !== undefined,
      input: flags.stdin && (input?.forward ?? false),
      signals: flags['sig-proxy'],
      keys,
    });
    if (ending === 'left') printDetached(args.container);
    process.exitCode = ending === 'left' ? 0 : (knownStatusOf(ending) ?? OUR_FAILURE);
  }
}
