import { main } from '@lamella/oci-runtime';
import { Command } from '@oclif/core/command';

/** `lamella oci`: everything after it is a command line of lamella-oci. */
export class Oci extends Command {
  static override summary = 'Run containers from OCI bundles';
  static override description = 'The commands and flags are those of runc: see lamella oci --help.';
  static override usage = 'oci [GLOBAL OPTIONS] COMMAND [OPTIONS] [ARG…]';
  static override examples = ['<%= config.bin %> oci run --bundle ./bundle one', '<%= config.bin %> oci --help'];
  static override strict = false;

  /** Stops oclif from warning about an unparsed command line where NODE_ENV is development. */
  override parsed = true;

  async run(): Promise<void> {
    process.exitCode = await main(this.argv);
  }
}
