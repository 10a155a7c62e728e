import { LamellaCommand } from '../command-classes/lamella-command.js';
import { UserPlugins } from '../plugins/user-plugins.js';

export class PluginsUpdate extends LamellaCommand {
  static override summary = 'Update the plugins that were installed from npm';
  static override examples = ['<%= config.bin %> plugins update'];

  async run(): Promise<void> {
    const { flags } = await this.parse(PluginsUpdate);
    const plugins = new UserPlugins(this.config.dataDir);
    await plugins.update();
    const listed = plugins.list();
    this.print(
      flags.json,
      listed,
      listed.map(({ name, version }) => `${name} ${version}`),
    );
  }
}
