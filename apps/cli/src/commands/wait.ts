import type { ContainerState, StoredContainer } from '@lamella/engine';
import { ContainerCommand } from '../command-classes/container-command.js';

export class Wait extends ContainerCommand {
  static override summary = 'Wait until containers end, and print how.';
  static override description = 'The exit status of each, 128 and the number for a signal; 137 also when nobody saw how, and 0 of one that never ran.';
  static override usage = 'wait CONTAINER…';
  static override examples = ['<%= config.bin %> wait web'];
  static override strict = false;

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(Wait);
    await this.forEach(flags, argv as string[], async (container) => {
      const ending = await container.wait();
      // One that never ran has not failed.
      return String(ending?.status ?? ((await stateOf(container)) === 'created' ? 0 : 137));
    });
  }
}

/** Nothing of one that was removed meanwhile. */
async function stateOf(container: StoredContainer): Promise<ContainerState['status'] | undefined> {
  try {
    return (await container.state()).status;
  } catch (error) {
    if ((error as { code?: string }).code === 'CONTAINER_NOT_FOUND') return undefined;
    throw error;
  }
}
