import { boolean } from '@oclif/core/flags';
import { ContainerCommand } from '../command-classes/container-command.js';

export class Rm extends ContainerCommand {
  static override summary = 'Remove containers, with all they changed and wrote.';
  static override aliases = ['discard'];
  static override usage = 'rm [FLAGS] CONTAINER…';
  static override examples = ['<%= config.bin %> rm web', { description: 'Also one that runs:', command: '<%= config.bin %> rm -f web' }];
  static override strict = false;
  static override flags = {
    force: boolean({ char: 'f', description: 'kill those that run; those that are not there are fine' }),
    volumes: boolean({ char: 'v', description: 'with the volumes that their images declare, which is always so' }),
  };

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(Rm);
    await this.forEach(
      flags,
      argv as string[],
      async (container, reference) => {
        await container.remove({ force: flags.force });
        return reference;
      },
      {
        missingIsFine: flags.force,
        // One that is damaged is not found, and is there.
        unfound: async (reference) => {
          await this.containersOf(flags).removeDamaged(reference);
          return reference;
        },
      },
    );
  }
}
