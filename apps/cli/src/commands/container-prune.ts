import { boolean, string } from '@oclif/core/flags';
import { ContainerCommand } from '../command-classes/container-command.js';
import { filtersOf, hasLabels } from '../command-line/filters.js';
import { parseTime } from '../command-line/parse-time.js';
import { labelsOf } from '../container/container-row.js';

export class ContainerPrune extends ContainerCommand {
  static override summary = 'Remove all stopped containers';
  static override examples = ['<%= config.bin %> container prune'];

  static override flags = {
    force: boolean({ char: 'f', description: 'Do not prompt for confirmation (always on)' }),
    filter: string({ multiple: true, multipleNonGreedy: true, helpValue: 'KEY=VALUE', description: 'Provide filter values: label, label! or until' }),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(ContainerPrune);
    const containers = this.containersOf(flags);
    const filters = filtersOf(flags.filter, ['label', 'label!', 'until']);
    const until = (filters.get('until') ?? []).map((each) => parseTime(each).toISOString());
    const over = (await containers.list()).filter(
      (state) =>
        ['created', 'exited', 'dead'].includes(state.status) &&
        hasLabels(labelsOf(state), filters.get('label') ?? []) &&
        !(filters.get('label!') ?? []).some((each) => hasLabels(labelsOf(state), [each])) &&
        until.every((time) => state.config.created < time),
    );
    if (!over.length) return this.print(flags.json, [], ['Nothing to remove.']);
    await this.forEach(
      flags,
      over.map(({ id }) => id),
      async (container, id) => {
        await container.remove();
        return id;
      },
    );
  }
}
