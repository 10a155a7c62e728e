import { LamellaCommand } from '../command-classes/lamella-command.js';
import { table } from '../output/table.js';
import { UserPlugins } from '../plugins/user-plugins.js';

export class Plugins extends LamellaCommand {
  static override summary = 'List installed plugins';
  static override examples = ['<%= config.bin %> plugins', '<%= config.bin %> plugins install @lamella/plugin-oci'];

  async run(): Promise<void> {
    const { flags } = await this.parse(Plugins);
    const plugins = new UserPlugins(this.config.dataDir).list();
    const rows = plugins.map(({ name, version, root, url, tag }) => [name, version, root ?? url ?? tag ?? '']);
    this.print(flags.json, plugins, plugins.length ? table(['NAME', 'VERSION', 'FROM'], rows) : []);
  }
}
