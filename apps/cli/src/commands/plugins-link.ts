import { LamellaCommand } from '../command-classes/lamella-command.js';
import { requiredArgument } from '../command-line/arguments.js';
import { UserPlugins } from '../plugins/user-plugins.js';

export class PluginsLink extends LamellaCommand {
  static override summary = 'Link a local directory as a plugin';
  static override description = 'Install the dependencies of the plugin first.';
  static override examples = ['<%= config.bin %> plugins link ./my-plugin'];
  static override args = { directory: requiredArgument('Directory with the package.json of the plugin') };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(PluginsLink);
    const name = new UserPlugins(this.config.dataDir).link(args.directory);
    this.print(flags.json, { name }, [name]);
  }
}
