import type { ContainerState, StoredContainer } from '@lamella/engine';
import { ContainerCommand } from '../command-classes/container-command.js';
import { knownStatusOf } from '../output/exit-status.js';

export class Wait extends ContainerCommand {
  static override summary = 'Block until containers stop, then print their exit codes';
  static override description = 'The exit code is 128+N after signal N, 137 if it is unknown, and 0 for a container that never ran.';
  static override usage = 'wait CONTAINER [CONTAINER…]';
  static override examples = ['<%= config.bin %> wait web'];
  static override strict = false;

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(Wait);
    await this.forEach(flags, argv as string[], async (container) => {
      const ending = await container.wait();
      // One that never ran has not failed.
      return String(knownStatusOf(ending) ?? ((await stateOf(container)) === 'created' ? 0 : 137));
    });
  }
}

/** Returns the status of a container; undefined if it was removed meanwhile. */
async function stateOf(container: StoredContainer): Promise<ContainerState['status'] | undefined> {
  try {
    return (await container.state()).status;
  } catch (error) {
    if ((error as { code?: string }).code === 'CONTAINER_NOT_FOUND') return undefined;
    throw error;
  }
}
