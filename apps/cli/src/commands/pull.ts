import { ImageStore, shortReference } from '@lamella/image';
import { LamellaCommand } from '../command-classes/lamella-command.js';
import { requiredArgument } from '../command-line/arguments.js';
import { stderr } from '../output/out.js';
import { PLATFORM_FLAG, parsePlatformFlag, QUIET_FLAG, REGISTRY_FLAGS, watchTransfer } from '../transfer/watch-transfer.js';

export class Pull extends LamellaCommand {
  static override summary = 'Fetch an image from its registry.';
  static override description =
    'Layers are fetched, verified, inflated and unpacked in one pass, several at a time; those that are there already are not fetched again. A broken connection is taken up where it was.';
  static override examples = [
    '<%= config.bin %> pull alpine',
    { description: 'By digest:', command: '<%= config.bin %> pull registry.example.com/team/app@sha256:…' },
    { description: 'A registry without TLS on your own network:', command: '<%= config.bin %> pull --tls-verify=false 192.168.1.5:5000/app' },
  ];
  static override args = { name: requiredArgument('[HOST[:PORT]/]PATH[:TAG][@DIGEST]') };
  static override flags = { ...REGISTRY_FLAGS, platform: PLATFORM_FLAG, quiet: QUIET_FLAG };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Pull);
    const store = new ImageStore(this.storeRoot(flags));
    const result = await watchTransfer(flags, (show, signal) =>
      store.pull(args.name, {
        ...parsePlatformFlag(flags.platform),
        tlsVerify: flags['tls-verify'],
        ...(flags.json ? {} : { onWarning: (warning: string) => stderr.line(`lamella: note: ${warning}`) }),
        signal,
        onProgress: ({ diffID: id, ...rest }) => show({ id, ...rest }),
      }),
    );
    for (const warning of flags.json ? [] : result.warnings) stderr.line(`lamella: note: ${warning}`);
    const names = result.references.map(shortReference);
    const lines = flags.quiet ? [result.digest] : [`${names.join(' ')} ${result.digest} (${result.layers} layers, ${result.unpacked} of them new)`];
    this.print(flags.json, { event: 'done', names, digest: result.digest, layers: result.layers, unpacked: result.unpacked, warnings: result.warnings }, lines);
  }
}
