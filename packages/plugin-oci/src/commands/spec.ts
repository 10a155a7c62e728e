import { main } from '@lamella/oci-runtime';
import { Command } from '@oclif/core/command';
import { boolean, string } from '@oclif/core/flags';

/** `lamella spec`: creates the configuration of an OCI bundle. */
export class Spec extends Command {
  static override summary = 'Create a config.json for a new OCI bundle';
  static override examples = ['<%= config.bin %> spec --bundle ./bundle', '<%= config.bin %> oci run --bundle ./bundle one'];
  static override flags = {
    bundle: string({ char: 'b', helpValue: 'DIR', description: 'Path to the bundle directory (default: the current directory)' }),
    rootless: boolean({ description: 'Generate a configuration for an ordinary user' }),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(Spec);
    process.exitCode = await main(['spec', ...(flags.bundle === undefined ? [] : ['--bundle', flags.bundle]), ...(flags.rootless ? ['--rootless'] : [])]);
  }
}
