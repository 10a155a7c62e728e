import { boolean } from '@oclif/core/flags';
import { ContainerCommand } from '../command-classes/container-command.js';

export class Rm extends ContainerCommand {
  static override summary = 'Remove one or more containers';
  static override aliases = ['discard'];
  static override usage = 'rm [OPTIONS] CONTAINER [CONTAINER…]';
  static override examples = ['<%= config.bin %> rm web', { description: 'Kill and remove a running container:', command: '<%= config.bin %> rm -f web' }];
  static override strict = false;
  static override flags = {
    force: boolean({ char: 'f', description: 'Force the removal of a running container (uses SIGKILL)' }),
    volumes: boolean({ char: 'v', description: 'Remove anonymous volumes associated with the container (always on)' }),
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
        // A damaged container is not found, but can be removed.
        unfound: async (reference) => {
          await this.containersOf(flags).removeDamaged(reference);
          return reference;
        },
      },
    );
  }
}
