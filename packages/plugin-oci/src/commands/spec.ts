import { main } from '@lamella/oci-runtime';
import { Command } from '@oclif/core/command';
import { boolean, string } from '@oclif/core/flags';

export class Spec extends Command {
  static override summary = 'Write a config.json to begin an OCI bundle with.';
  static override examples = ['<%= config.bin %> spec --bundle ./bundle', '<%= config.bin %> oci run --bundle ./bundle one'];
  static override flags = {
    bundle: string({ char: 'b', helpValue: 'DIR', description: 'into which directory (default: this one)' }),
    rootless: boolean({ description: 'one that an ordinary user may run' }),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(Spec);
    process.exitCode = await main(['spec', ...(flags.bundle === undefined ? [] : ['--bundle', flags.bundle]), ...(flags.rootless ? ['--rootless'] : [])]);
  }
}
