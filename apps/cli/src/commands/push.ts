import { ImageStore } from '@lamella/image';
import { LamellaCommand } from '../command-classes/lamella-command.js';
import { requiredArgument } from '../command-line/arguments.js';
import { stderr } from '../output/out.js';
import { QUIET_FLAG, REGISTRY_FLAGS, watchTransfer } from '../transfer/watch-transfer.js';

export class Push extends LamellaCommand {
  static override summary = 'Push an image to a registry';
  static override examples = [
    '<%= config.bin %> push registry.example.com/team/app:v1',
    { description: 'Push under another name:', command: '<%= config.bin %> tag app localhost:5000/app && <%= config.bin %> push localhost:5000/app' },
  ];
  static override args = { name: requiredArgument('Name of an image in the store') };
  static override flags = { ...REGISTRY_FLAGS, quiet: QUIET_FLAG };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Push);
    const store = new ImageStore(this.storeRoot(flags));
    const digest = await watchTransfer(flags, (show, signal) =>
      store.push(args.name, {
        tlsVerify: flags['tls-verify'],
        onWarning: (warning) => stderr.line(`lamella: note: ${warning}`),
        signal,
        onProgress: ({ digest: id, ...rest }) => show({ id, ...rest }),
      }),
    );
    this.print(flags.json, { event: 'done', name: args.name, digest }, [flags.quiet ? digest : `${args.name} ${digest}`]);
  }
}
