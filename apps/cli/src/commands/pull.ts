import { ImageStore, shortReference } from '@lamella/image';
import { LamellaCommand } from '../command-classes/lamella-command.js';
import { requiredArgument } from '../command-line/arguments.js';
import { stderr } from '../output/out.js';
import { PLATFORM_FLAG, parsePlatformFlag, QUIET_FLAG, REGISTRY_FLAGS, watchTransfer } from '../transfer/watch-transfer.js';

export class Pull extends LamellaCommand {
  static override summary = 'Download an image from a registry';
  static override description =
    'Several layers are downloaded and unpacked at a time. Layers that the store has already are not downloaded again, and an interrupted download is resumed.';
  static override examples = [
    '<%= config.bin %> pull alpine',
    { description: 'Pull by digest:', command: '<%= config.bin %> pull registry.example.com/team/app@sha256:…' },
    { description: 'Pull from a registry without TLS:', command: '<%= config.bin %> pull --tls-verify=false 192.168.1.5:5000/app' },
  ];
  static override args = { name: requiredArgument('Name of the image: [HOST[:PORT]/]PATH[:TAG][@DIGEST]') };
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
    const lines = flags.quiet ? [result.digest] : [`${names.join(' ')} ${result.digest} (${result.layers} layers, ${result.unpacked} new)`];
    this.print(flags.json, { event: 'done', names, digest: result.digest, layers: result.layers, unpacked: result.unpacked, warnings: result.warnings }, lines);
  }
}
