import { main } from '@lamella/oci-runtime';
import { Command } from '@oclif/core/command';

/** Everything after `oci` is a command line of lamella-oci. */
export class Oci extends Command {
  static override summary = 'Run containers from OCI bundles, with the commands and flags of runc.';
  static override usage = 'oci [GLOBAL FLAGS] create|start|state|kill|delete|run|exec|list|ps|pause|resume|update|events|features|spec …';
  static override examples = ['<%= config.bin %> oci run --bundle ./bundle one', '<%= config.bin %> oci --help'];
  static override strict = false;

  /** Not by oclif, which would complain of that where NODE_ENV is that of a developer. */
  override parsed = true;

  async run(): Promise<void> {
    process.exitCode = await main(this.argv);
  }
}
